"""Why a run starts a new baseline: TensorFlow, Keras or numpy has another version.

Their versions are part of the key of a history (gfr/regression/history.py), so that runs of
different versions
are never compared. Reads no file.
"""

from collections.abc import Sequence

from gfr.regression.history import ENGINE, Entry

_NAMES = {"tensorflow": "TensorFlow", "keras": "Keras", "numpy": "NumPy"}


def sentence(now: Entry, others: Sequence[Entry]) -> str:
    """`New baseline: TensorFlow changed from 2.19.0 to 2.21.0, so ...`; "" if none has changed.

    Args:
        now: the run.
        others: earlier runs of this benchmark with another key, oldest first.
    """
    if not others:
        return ""
    # The newest run that the versions alone keep from being compared, else the newest of all.
    same = [row for row in others if _is_same_but_engine(row, now)]
    rows = engine_changes((same or others)[-1], now)
    if not rows:
        return ""
    words = ", ".join(f"{name} from {old} to {new}" for name, old, new in rows)
    words = words.replace(" from ", " changed from ", 1)
    return f"New baseline: {words}, so runs before the change are not compared"


def engine_changes(then: Entry, now: Entry) -> list[tuple[str, str, str]]:
    """Name, old and new version of each package whose version decides the key and has changed."""
    before, after = then.provenance.versions, now.provenance.versions
    rows = [
        (_NAMES.get(name, name), before.get(name, "missing"), after.get(name, "missing"))
        for name in ENGINE
    ]
    return [row for row in rows if row[1] != row[2]]


def _is_same_but_engine(then: Entry, now: Entry) -> bool:
    """Whether all facts but the machine's are equal; its fact includes the versions."""
    names = {*then.facts, *now.facts} - {"machine"}
    is_same = all(then.facts.get(name) == now.facts.get(name) for name in names)
    return is_same and bool(engine_changes(then, now))
