"""Build and convert the small model of the page's tests: `build_web_model.py FOLDER`.

Reads FOLDER/faces.npy, uint8 (N, H, W, 3); writes `model/tfjs`, `litert/model.tflite`,
`model.keras` and `p_male.npy`. A process of its own, since the converter changes TensorFlow's
settings for good.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

from gfr import environment
from gfr.engines import formats
from gfr.export import convert, saved_model
from gfr.results.export_records import SIGNATURE


def main(folder):
    """A few random convolutions and a head whose answers spread over 0..1."""
    environment.import_tensorflowjs()
    from tensorflowjs.converters.tf_saved_model_conversion_v2 import convert_tf_saved_model

    keras.utils.set_random_seed(7)
    pixels = keras.Input((None, None, 3))
    x = layers.Rescaling(1 / 127.5, -1.0)(layers.Resizing(48, 40, interpolation="bilinear")(pixels))
    for filters in (12, 24, 48):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    head = layers.Dense(1, "sigmoid")
    model = keras.Model(pixels, head(layers.Flatten()(x)))
    faces = np.load(folder / "faces.npy").astype(np.float32)
    logits = np.log(p := model.predict(faces, verbose=0)[:, 0].astype(np.float64)) - np.log1p(-p)
    kernel, bias = head.get_weights()
    spread = 2 / logits.std()  # or an error would not show
    head.set_weights([kernel * spread, bias * spread - logits.mean() * spread])
    saved_model.write_graph(model, folder / "saved")
    convert_tf_saved_model(
        *(str(folder / "saved"), str(folder / "model" / "tfjs")),
        **{"signature_def": SIGNATURE, "weight_shard_size_bytes": 16384},
    )
    (folder / "litert").mkdir()
    convert.convert(folder / "saved", formats.get("litert"), folder / "litert")
    model.save(folder / "model.keras")
    np.save(folder / "p_male.npy", model.predict(faces, verbose=0)[:, 0])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
