"""Convert and load a model where packages that the converter only imports are not installed.

A process of its own, since an import happens once: `convert_without_optional_packages.py FOLDER`.
"""

import importlib.abc
import json
import sys
from pathlib import Path

MISSING = (
    *("flax", "jax", "jaxlib", "tf_keras", "ydf"),
    *("tensorflow_decision_forests", "tensorflow_hub"),
)


class Missing(importlib.abc.MetaPathFinder):
    """Hides these packages even where a user has installed one."""

    def find_spec(self, name, path=None, target=None):
        """Refuse to find them."""
        if name.split(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def main(folder):
    """Print p_male of two images, and which of the packages are left in `sys.modules`."""
    import numpy as np
    import tensorflow as tf

    from gfr import engines
    from gfr.export import tfjs
    from gfr.results import export_records

    pixels = tf.TensorSpec([None, None, None, 3], tf.float32, name="pixels")

    class Mean(tf.Module):
        @tf.function(input_signature=[pixels])
        def serve(self, pixels):
            return {"p_male": tf.reduce_mean(pixels, [1, 2, 3])[:, None] / self.scale}

    module = Mean()
    module.scale = tf.Variable(255.0)
    signatures = {export_records.SIGNATURE: module.serve}
    tf.saved_model.save(module, str(folder / export_records.SAVED_MODEL), signatures=signatures)
    tfjs.convert(("float32",), folder)
    classify = engines.get("tensorflow").load(export_records.directory(folder, "float32"))
    p_male = classify(np.full((2, 5, 4, 3), 51, np.uint8)).p_male.tolist()
    left = [name for name in sys.modules if name.split(".")[0] in MISSING]
    print(json.dumps({"p_male": p_male, "left": left}))


if __name__ == "__main__":
    sys.meta_path.insert(0, Missing())
    main(Path(sys.argv[1]))
