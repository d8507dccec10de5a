"""A small export in the layout that the page expects, and the faces it is tried on.

In: a directory. Out: `model/` with a TensorFlow.js graph model, its card and golden pictures.
Never: real backbones; a few random convolutions are enough to tell one pixel's error.
"""

import hashlib
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from gfr.data.synthetic import generate

HEIGHT_PX, WIDTH_PX = 218, 178
NUM_GOLDEN = 3
NOTES = ["random weights", "trained on synthetic faces"]

# In a process of its own: the converter changes TensorFlow's settings for good.
_BUILD = """
import sys, numpy as np, keras, tensorflow as tf
from pathlib import Path
from gfr import environment
environment.import_tensorflowjs()
from tensorflowjs.converters.tf_saved_model_conversion_v2 import convert_tf_saved_model
folder = Path(sys.argv[1])
keras.utils.set_random_seed(7)
layers = keras.layers
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
spread = 2 / logits.std()  # answers all over 0..1, or an error would not show
head.set_weights([kernel * spread, bias * spread - logits.mean() * spread])
archive = keras.export.ExportArchive()
archive.track(model)
pixels = tf.TensorSpec((None, None, None, 3), tf.float32)
archive.add_endpoint("serve", lambda x: model(x, training=False), [pixels])
archive.write_out(str(folder / "saved"), verbose=False)
convert_tf_saved_model(
    str(folder / "saved"), str(folder / "model" / "tfjs"), signature_def="serve",
    weight_shard_size_bytes=16384,
)
model.save(folder / "model.keras")
np.save(folder / "p_male.npy", model.predict(faces, verbose=0)[:, 0])
"""


def face(index: int) -> Image.Image:
    """Drawn face number `index`, 178 x 218."""
    return generate.draw(3, index)[0]


def build(folder: Path) -> Path:
    """`folder/model`, ready to be served; deterministic."""
    model = folder / "model"
    (model / "golden").mkdir(parents=True)
    faces = [face(index) for index in range(1, 9)]
    np.save(folder / "faces.npy", np.stack([np.asarray(picture) for picture in faces]))
    _python(_BUILD, str(folder))
    golden = []
    for i, p_male in enumerate(np.load(folder / "p_male.npy")[:NUM_GOLDEN].tolist()):
        file = f"golden/face-{i + 1}.png"
        faces[i].save(model / file)
        golden.append({"file": file, "p_male": p_male, "source": "drawn by gfr"})
    _write(model / "golden.json", {"schema": 1, "images": golden})
    _write(model / "model_card.json", card(model))
    (model / "model_card.md").write_text("# A small model for tests\n")
    return model


def card(model: Path) -> dict[str, object]:
    """The model card of what is in `model/tfjs`."""
    files = sorted((model / "tfjs").iterdir())
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return {
        "schema": 1,
        "title": "Small / test",
        "notes": NOTES,
        "model": {
            "file": "tfjs/model.json",
            "precision": "float32",
            "num_bytes": sum(file.stat().st_size for file in files),
            "num_parameters": 14_000,
            "tolerance": 1e-4,
            "digest": digest,
        },
        "input": {"size": [48, 40]},
        "output": {
            "positive": "male",
            "negative": "female",
            "threshold": 0.5,
            "uncertain": [0.4, 0.6],
        },
        "alignment": alignment(),
        "metrics": {
            "test": {
                "accuracy": 0.906,
                "accuracy_interval": [0.886, 0.923],
                "num_images": 1000,
                "majority_share": 0.591,
            }
        },
    }


def alignment() -> dict[str, object]:
    """Where CelebA has the points of a face."""
    file = Path(__file__).parents[1] / "gfr" / "export" / "alignment.json"
    measured = json.loads(file.read_text())
    return {name: measured[name] for name in ("height", "width", "points")}


def keras_p_male(model: Path, pictures: list[Image.Image]) -> list[float]:
    """What Keras says of pictures of any size."""
    keras_model = _keras_model(model.parent / "model.keras")
    pixels = [np.asarray(picture.convert("RGB"), dtype=np.float32) for picture in pictures]
    return [float(keras_model(image[None], training=False)[0, 0]) for image in pixels]


@cache
def _keras_model(file: Path):
    import keras

    return keras.models.load_model(file)


def _python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1))
