"""Models for page_runtimes.py: with random weights, and LiteRT models of one image size."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gfr import environment
from gfr.config.schema import TFJS, Backbone, FeatureSet
from gfr.data.synthetic import generate
from gfr.engines.tensorflow import classifier
from gfr.export import convert
from gfr.results.export_records import SAVED_MODEL, directory

SEED = 1024
_NUM_FACES = 8


def write_random(backbone: str, side: int, names: Sequence[str], folder: Path) -> None:
    """Write golden images, and each format into a folder of its name; call it in a child process.

    The features have unit spread over a few faces, as in a run with random weights.
    """
    environment.import_tensorflow()
    import keras

    from gfr.export import golden_images, saved_model, tfjs
    from gfr.models import backbone as models_backbone
    from gfr.models import fused_model, head, weights

    keras.utils.set_random_seed(SEED)
    scaled = Backbone(backbone, scaling="tf", label=backbone)
    row = FeatureSet(scaled, (side, side), "fixed", "float32")
    network = models_backbone.build(row, None)
    faces = [np.asarray(generate.draw(SEED, index)[0]) for index in range(1, _NUM_FACES + 1)]
    features = fused_model.run_batch(fused_model.compiled(network), faces)
    scale = weights.calibrate(features)
    model = fused_model.fuse(network, scale, head.build(features.shape[1], SEED))
    golden_images.write(folder, classifier(model))
    saved_model.write_graph(model, folder / SAVED_MODEL)
    if TFJS in names:
        tfjs.convert(("float32",), folder)
        directory(folder, "float32").rename(folder / TFJS)
    others = {name: folder / name for name in names if name != TFJS}
    for place in others.values():
        place.mkdir()
    for name, reason in convert.convert_all(folder / SAVED_MODEL, others).items():
        print(f"{name}: {reason}")


def of_one_size(source: Path, height: int, width: int, target: Path) -> None:
    """Copy a LiteRT model, for uint8 (1, height, width, 3) instead of any size.

    LiteRT.js cannot resize an input: it refuses tensors that do not have the model's shape, in
    which -1 stands for any. LiteRT infers the shapes of all other tensors when it loads the file.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = bytearray(source.read_bytes())  # the arrays below are views of it
    graph = schema.Model.GetRootAs(content, 0).Subgraphs(0)
    for number in range(graph.TensorsLength()):
        tensor = graph.Tensors(number)
        if tensor.ShapeSignatureIsNone():
            continue
        shape, signature = tensor.ShapeAsNumpy(), tensor.ShapeSignatureAsNumpy()
        if [*signature] == [-1, -1, -1, 3]:
            shape[:] = signature[:] = [1, height, width, 3]
        elif len(signature) and signature[0] == -1:
            signature[0] = 1
    target.write_bytes(content)
