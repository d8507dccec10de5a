"""How TensorFlow's converter for the browser is imported."""

import json
import subprocess
import sys

import pytest

from gfr.storage.paths import ROOT

# In a process of its own: an import happens once. The finder makes it an environment without these
# packages even where a user has installed one.
_CONVERT = """
import importlib.abc, json, sys
from pathlib import Path

DROPPED = "flax jax jaxlib tensorflow_decision_forests tensorflow_hub tf_keras ydf".split()

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in DROPPED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from gfr.export import tfjs
from gfr.models.external import tfjs_graph
import numpy as np, tensorflow as tf
from gfr.export.saved_model import SAVED_MODEL, SIGNATURE

class Mean(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, name="pixels")])
    def serve(self, pixels):
        return {"p_male": tf.reduce_mean(pixels, [1, 2, 3])[:, None] / self.scale}

module, folder = Mean(), Path(sys.argv[1])
module.scale = tf.Variable(255.0)
tf.saved_model.save(module, str(folder / SAVED_MODEL), signatures={SIGNATURE: module.serve})
tfjs.convert(("float32",), folder)
classify = tfjs_graph.load(tfjs.directory(folder, "float32"))
pixels = np.full((2, 5, 4, 3), 51, np.uint8)
left = [name for name in sys.modules if name.split(".")[0] in DROPPED]
print(json.dumps({"p_male": classify(pixels).numpy().ravel().tolist(), "left": left}))
"""


@pytest.mark.slow
def test_a_model_converts_without_the_packages_that_the_converter_only_imports(tmp_path):
    """51 / 255 from the converted files; no stub is left that a later import could mistake."""
    done = subprocess.run(
        [sys.executable, "-c", _CONVERT, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert pytest.approx([0.2, 0.2], abs=1e-6) == found["p_male"]
    assert [] == found["left"]
