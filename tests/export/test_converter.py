"""How TensorFlow's converter for the browser is imported."""

import json
import subprocess
import sys

import pytest

from gfr.storage.paths import ROOT

CONVERT = ROOT / "tests" / "programs" / "convert_without_optional_packages.py"


@pytest.mark.slow
def test_a_model_converts_without_the_packages_that_the_converter_only_imports(tmp_path):
    """51 / 255 from the converted files; no stub is left that a later import could mistake."""
    done = subprocess.run(
        [sys.executable, CONVERT, tmp_path], cwd=ROOT, capture_output=True, text=True
    )
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert pytest.approx([0.2, 0.2], abs=1e-6) == found["p_male"]
    assert [] == found["left"]
