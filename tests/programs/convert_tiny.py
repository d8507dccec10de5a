"""Write a tiny model in every file format whose engine is installed: `convert_tiny.py FOLDER`.

FOLDER/FORMAT/ holds the files of a format.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers
from PIL import Image

from gfr import engines
from gfr.engines import formats
from gfr.export import convert
from gfr.export.saved_model import write_graph


def main(folder):
    """Build, convert."""
    keras.utils.set_random_seed(1)
    pixels = keras.Input((None, None, 3))
    x = layers.Rescaling(1 / 255)(layers.Resizing(8, 8)(pixels))
    x = layers.Conv2D(32, 3, activation="relu")(layers.Conv2D(32, 3)(x))
    wide = keras.initializers.RandomNormal(stddev=1.0)  # answers that differ between images
    p_male = layers.Dense(1, "sigmoid", kernel_initializer=wide)(layers.GlobalAveragePooling2D()(x))
    write_graph(keras.Model(pixels, p_male), folder / "saved_model")
    noise = np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    for form in formats.FORMATS.values():
        if form.name != "tfjs" and not engines.get(form.engine).unavailable():
            (folder / form.name).mkdir()
            convert.convert(
                folder / "saved_model", form, folder / form.name, [folder / "noise.png"]
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
