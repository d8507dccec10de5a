"""Print the largest difference that a conversion makes to a model with sums after convolutions.

A process of its own, since the converter changes TensorFlow's settings: `convert_sums.py FOLDER`.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

from gfr import engines
from gfr.export import tfjs
from gfr.export.saved_model import write_graph
from gfr.results import export_records


def main(folder):
    """Build, convert, compare on noise."""
    pixels = keras.Input((8, 8, 3))
    x = layers.Conv2D(3, 3, padding="same", use_bias=False)(pixels)
    x = layers.Activation("hard_sigmoid")(layers.Conv2D(3, 3, padding="same", use_bias=False)(x))
    x = layers.Conv2D(3, 3, padding="same", use_bias=False)(x) + pixels
    model = keras.Model(pixels, layers.Dense(1, "sigmoid")(layers.Flatten()(x / 255)))
    write_graph(model, folder / export_records.SAVED_MODEL)
    tfjs.convert(("float32",), folder)
    images = np.random.default_rng(7).integers(0, 256, (5, 8, 8, 3)).astype(np.uint8)
    p_male = (
        engines.get("tensorflow").load(export_records.directory(folder, "float32"))(images).p_male
    )
    print(float(abs(p_male - model(images.astype(np.float32))[:, 0]).numpy().max()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
