"""Runtime engines by name. A new engine is one module and one entry in `ENGINES`.

Importing this package imports no runtime: each engine does so when it loads its first model.
"""

from gfr.engines import litert, onnxruntime, openvino, tensorflow, tfjs
from gfr.engines.base import Engine
from gfr.errors import InputError, did_you_mean

ENGINES = {
    module.ENGINE.name: module.ENGINE
    for module in (tensorflow, litert, onnxruntime, openvino, tfjs)
}


def get(name: str) -> Engine:
    """Return the engine of that name; InputError lists the known ones."""
    if name not in ENGINES:
        hint = did_you_mean(name, ENGINES)
        raise InputError(f"engine {name!r}: unknown; {hint}known: {', '.join(ENGINES)}")
    return ENGINES[name]
