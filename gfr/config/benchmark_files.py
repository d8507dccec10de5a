"""Find benchmark files by name. Imports nothing heavy."""

from pathlib import Path

from gfr.errors import BadInput, did_you_mean
from gfr.storage.paths import ROOT, at_root

_NO_BENCHMARKS = {"published", "sources"}  # other tables in benchmarks/


def shared_name(file: Path, name: str) -> str:
    """A sentence if a benchmark has the name of another file, one in benchmarks/; else empty."""
    other = ROOT / "benchmarks" / f"{name}.toml"
    if name in _NO_BENCHMARKS or not other.exists() or file.resolve() == other.resolve():
        return ""
    return (
        f"{file}: has the name {name!r} of benchmarks/{name}.toml: their runs count as one "
        "benchmark's (newest report, gfr clean); give it a name of its own"
    )


def benchmark_names() -> list[str]:
    """The benchmarks of the project, sorted."""
    stems = {file.stem for file in (ROOT / "benchmarks").glob("*.toml")}
    return sorted(stems - _NO_BENCHMARKS)


def benchmark_file(name: str) -> Path:
    """`full` -> benchmarks/full.toml of the project; anything with a suffix or slash is a path."""
    if "/" in name or name.endswith(".toml"):
        return Path(at_root(name))
    path = ROOT / "benchmarks" / f"{name}.toml"
    if name in _NO_BENCHMARKS or not path.exists():
        names = benchmark_names()
        raise BadInput(
            f"benchmark {name!r}: unknown; {did_you_mean(name, names)}"
            f"known: {', '.join(names)}, or the path of a .toml file"
        )
    return path
