"""Runtime engines by name. A new engine is one module and one entry in `ENGINES`.

Importing this package imports no runtime: each engine does so when it loads its first model.
"""

from gfr.engines import node, tensorflow
from gfr.engines.base import Engine
from gfr.errors import InputError

ENGINES = {engine.name: engine for engine in (tensorflow.ENGINE, node.ENGINE)}


def get(name: str) -> Engine:
    """Return the engine of that name; InputError lists the known ones."""
    if name not in ENGINES:
        raise InputError(f"engine {name!r}: unknown; known: {', '.join(ENGINES)}")
    return ENGINES[name]
