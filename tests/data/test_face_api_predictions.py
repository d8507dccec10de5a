"""benchmarks/tools/face_api_predictions.py, with a made-up package in place of face-api."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.tools import face_api_predictions
from gfr.errors import InputError, StepFailed

# What the script uses of face-api: the answer is the mean brightness of an image, 0..1.
BUNDLE = """
if (!globalThis.window?.document) throw new Error("for browsers");
class NetInput { constructor(batch) { this.batch = batch; } }
const mean = ({values}) => values.reduce((sum, value) => sum + value, 0) / values.length / 255;
const tf = {
  env: () => ({set() {}, platform: {}}),
  setWasmPaths(path, usesFetch) { if (!usesFetch) throw new Error(path); },
  setBackend: async () => true,
  ready: async () => {},
  tensor3d: (values, shape) => ({values, shape}),
  dispose() {},
  io: {decodeWeights: (buffer, specs) => ({buffer, specs})},
};
const ageGenderNet = {
  loadFromWeightMap({buffer, specs}) {
    if (buffer.byteLength !== 4 || specs[0].name !== "w") throw new Error("other weights");
  },
  forwardInput({batch}) {
    return {gender: {arraySync: () => batch.map((image) => [mean(image), 1 - mean(image)])}};
  },
};
const nets = {ageGenderNet};
export {NetInput, nets, tf};
"""


@pytest.fixture
def package(tmp_path):
    """Folders and files as face-api has them."""
    folder = tmp_path / "face-api"
    for name in ("dist", "model"):
        (folder / name).mkdir(parents=True)
    (folder / "dist" / "face-api.esm.js").write_text(BUNDLE)
    (folder / "package.json").write_text("{}")
    manifest = [{"weights": [{"name": "w"}], "paths": ["age_gender_model.bin"]}]
    path = folder / "model" / "age_gender_model-weights_manifest.json"
    path.write_text(json.dumps(manifest))
    (folder / "model" / "age_gender_model.bin").write_bytes(b"1234")
    return folder


def image(path, inner, outer=0):
    """An image of 60 x 50 px whose centred square of 20 px has another grey."""
    pixels = np.full((60, 50, 3), outer, np.uint8)
    pixels[20:40, 15:35] = inner
    Image.fromarray(pixels).save(path)
    return path


def test_each_square_has_a_csv_of_the_images_that_are_not_for_training(tmp_path, package):
    """In the order of the splits; more images than a batch of the network takes."""
    greys = {f"{grey:03}.png": grey for grey in range(0, 200, 5)}
    rows = [f"{name},test,{image(tmp_path / name, grey)}" for name, grey in greys.items()]
    (tmp_path / "splits.csv").write_text(
        "\n".join(["image,split,path", *rows, "x.png,train,/none/x.png", ""])
    )
    face_api_predictions.main(tmp_path / "splits.csv", tmp_path / "out", package, [20, 100], [0])
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert ["face-api-100-0.csv", "face-api-20-0.csv"] == names
    with (tmp_path / "out" / "face-api-20-0.csv").open(newline="") as file:
        found = {row["image"]: float(row["p_male"]) for row in csv.DictReader(file)}
    assert found == pytest.approx({name: grey / 255 for name, grey in greys.items()})
    whole = (tmp_path / "out" / "face-api-100-0.csv").read_text().splitlines()
    assert float(whole[-1].split(",")[1]) == pytest.approx(195 / 255 * 400 / 3000, abs=1e-4)


def test_a_square_is_shifted_down_as_far_as_the_image_reaches():
    """Rows 20..39 of 60 are in the centre."""
    pixels = np.arange(60, dtype=np.uint8).repeat(50 * 3).reshape(60, 50, 3)
    for shift, first in ((0, 20), (15, 35), (30, 40)):
        square = face_api_predictions.cropped(pixels, 20, shift)
        assert (20, 20, 3) == square.shape and first == square[0, 0, 0]
    assert (60, 50, 3) == face_api_predictions.cropped(pixels, 99, 15).shape


def test_a_data_directory_is_classified_whole(celeba, tmp_path):
    """Without the split of a run."""
    root = celeba(12)
    found = face_api_predictions.find(root)
    assert 12 == len(found) and all(path.is_file() for path in found.values())


def test_what_is_missing_is_named(tmp_path, package):
    """The package, the CSV, one of its columns, and an error in Node."""
    csv_file = tmp_path / "splits.csv"
    with pytest.raises(InputError, match="Fetch it: gfr models fetch face-api"):
        face_api_predictions.main(csv_file, tmp_path, tmp_path / "none")
    with pytest.raises(InputError, match=r"splits.csv: cannot be read \(No such file"):
        face_api_predictions.main(csv_file, tmp_path, package)
    csv_file.write_text("image,split\na.jpg,test\n")
    with pytest.raises(InputError, match="no column 'path'"):
        face_api_predictions.main(csv_file, tmp_path, package)
    csv_file.write_text(f"image,split,path\na.png,test,{image(tmp_path / 'a.png', 9)}\n")
    (package / "model" / "age_gender_model.bin").write_bytes(b"1")
    with pytest.raises(StepFailed, match="other weights"):
        face_api_predictions.main(csv_file, tmp_path, package)
    assert not list(Path(tmp_path).glob("face-api-*.csv"))
