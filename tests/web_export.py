"""A small export in the layout that the page expects, and the faces it is tried on.

In: a directory. Out: `model/` with a TensorFlow.js graph model, its card and golden pictures, and
`litert/` with the same for LiteRT. Never: real backbones; a few random convolutions are enough to
tell one pixel's error.
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
BUILD = Path(__file__).with_name("programs") / "build_web_model.py"


def face(index: int) -> Image.Image:
    """Drawn face number `index`, 178 x 218."""
    return generate.draw(3, index)[0]


def build(folder: Path) -> Path:
    """`folder/model`, ready to be served; deterministic."""
    model = folder / "model"
    (model / "golden").mkdir(parents=True)
    faces = [face(index) for index in range(1, 9)]
    np.save(folder / "faces.npy", np.stack([np.asarray(picture) for picture in faces]))
    done = subprocess.run([sys.executable, BUILD, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
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


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1))
