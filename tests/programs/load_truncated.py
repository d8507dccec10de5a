"""Load a model cut in many places: `load_truncated.py ENGINE MODEL`.

Prints how many of the cuts were refused with the path, and how many there were.
"""

import sys
from pathlib import Path

from gfr import engines
from gfr.errors import InputError


def main(engine, model):
    """Cut in 64 places, and just before the end."""
    whole, num_refused = model.read_bytes(), 0
    end = len(whole.rstrip(b"\n"))  # an .xml file may lack its last line break
    sizes = {end * part // 64 for part in range(64)} | {end - missing for missing in (1, 4, 16)}
    for size in sorted(sizes):
        model.write_bytes(whole[:size])
        try:
            engines.get(engine).load(model)
        except InputError as error:
            num_refused += str(model) in str(error)
    print(num_refused, len(sizes))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
