"""Find benchmark files by name. Imports nothing heavy."""

from pathlib import Path

from gfr.errors import InputError, did_you_mean
from gfr.storage.paths import ROOT, at_root

_NO_BENCHMARKS = {"models", "published", "sources"}  # other tables in benchmarks/


def shared_name(file: Path, name: str) -> str:
    """Return a warning if another file in benchmarks/ has the same name; else an empty string."""
    other = ROOT / "benchmarks" / f"{name}.toml"
    if name not in benchmark_names() or file.resolve() == other.resolve():
        return ""
    return (
        f"{file}: has the name {name!r} of benchmarks/{name}.toml, so gfr treats their runs as one "
        "benchmark's (newest report, gfr clean). Give it another name"
    )


def benchmark_names() -> list[str]:
    """Return the names of the project's benchmarks, sorted."""
    stems = {file.stem for file in (ROOT / "benchmarks").glob("*.toml")}
    return sorted(stems - _NO_BENCHMARKS)


def benchmark_file(name: str) -> Path:
    """`full` -> benchmarks/full.toml of the project; anything with a suffix or slash is a path."""
    if "/" in name or name.endswith(".toml"):
        return Path(at_root(name))
    if name not in (names := benchmark_names()):
        raise InputError(
            f"benchmark {name!r}: unknown; {did_you_mean(name, names)}"
            f"known: {', '.join(names)}, or the path of a .toml file"
        )
    return ROOT / "benchmarks" / f"{name}.toml"
