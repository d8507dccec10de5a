"""`gfr models fetch`: a made-up package in a registry on loopback, fetched by npm itself."""

import base64
import hashlib
import io
import json
import tarfile
from dataclasses import replace

import pytest
from local_server import Site, serve

from cli.main import app
from gfr.config import benchmark_files
from gfr.data.download import catalog, npm
from gfr.errors import InputError
from gfr.storage import locks, paths

NETWORK = b"a network" * 1000
FILES = {"package/LICENSE": b"free", "package/models/net.json": NETWORK, "package/run.js": b"//"}


def packed(files, links=()):
    """An archive as npm has it; `links` are names that lead to a file outside."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name in links:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(entry)
    return stream.getvalue()


def integrity(content):
    """npm's digest of an archive."""
    return f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"


def offer(site, content):
    """Serve `content` as version 1.0.0 of the package, with the right digest in the listing."""
    site.content = content
    dist = {"tarball": f"{site.url}/nets.tgz", "integrity": integrity(content)}
    version = {"name": "@made/nets", "version": "1.0.0", "dist": dist}
    listing = {"name": "@made/nets", "dist-tags": {}, "versions": {"1.0.0": version}}
    body = json.dumps(listing).encode()
    site.pages["/@made%2fnets"] = ({"Content-Type": "application/json"}, body)


@pytest.fixture
def site(monkeypatch):
    """A registry that npm is told to use; Node options of the user must not reach it."""
    with serve(Site()) as running:
        offer(running, packed(FILES))
        monkeypatch.setenv("npm_config_registry", running.url)
        monkeypatch.setenv("npm_config_noproxy", "127.0.0.1")
        monkeypatch.setenv("NODE_OPTIONS", "--require /none/debugger.js")
        monkeypatch.delenv("GFR_OFFLINE", raising=False)
        yield running


@pytest.fixture
def package(site):
    """Two files of three are kept."""
    kept = {"LICENSE": b"free", "models/net.json": NETWORK}
    return catalog.NpmPackage(
        package="@made/nets",
        version="1.0.0",
        integrity=integrity(site.content),
        license="For cats only",
        source="https://example.com/nets",
        trained_on="Trained on cats",
        files={name: hashlib.sha256(content).hexdigest() for name, content in kept.items()},
    )


def asked(tmp_path, **changes):
    """The usual command, with the licence accepted."""
    request = npm.Request(
        name="nets",
        directory=tmp_path / "models" / "nets",
        is_license_accepted=True,
        is_offline=False,
        replace=False,
    )
    return replace(request, **changes)


def names(directory):
    """The files below a directory."""
    found = (path for path in directory.rglob("*") if path.is_file())
    return sorted(path.relative_to(directory).as_posix() for path in found)


def test_the_listed_files_of_a_package_are_kept(site, tmp_path, package):
    """Nothing else is there afterwards; the second time nothing is requested."""
    fetched = npm.run(asked(tmp_path), {"nets": package})
    target = tmp_path / "models" / "nets"
    assert ["LICENSE", "fetched.json", "models/net.json"] == names(target)
    assert NETWORK == (target / "models" / "net.json").read_bytes()
    record = json.loads((target / "fetched.json").read_text())
    assert ("1.0.0", "For cats only") == (record["version"], record["license"])
    assert fetched.files == package.files == record["files"]
    assert [target] == list(target.parent.iterdir())
    assert npm.run(asked(tmp_path), {"nets": package}) is None
    assert 1 == site.num_requests


REFUSALS = {
    "unknown": ({"name": "net"}, "model 'net': unknown; did you mean nets[?] known: nets"),
    "licence": (
        {"is_license_accepted": False},
        r"@made/nets@1.0.0: For cats only \(https://example.com/nets\). Trained on cats. Accept "
        "that with --accept-license",
    ),
    "offline": ({"is_offline": True}, "nothing is fetched: --offline or GFR_OFFLINE is set"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_nothing_is_fetched_without_consent(site, tmp_path, package, case):
    """Licence, name and --offline are checked before anything is requested."""
    changes, says = REFUSALS[case]
    with pytest.raises(InputError, match=says):
        npm.run(asked(tmp_path, **changes), {"nets": package})
    assert 0 == site.num_requests and [] == list(tmp_path.iterdir())


def test_npm_that_fails_is_one_line(site, tmp_path, package, monkeypatch):
    """A version that the registry lacks, and a registry that does not answer."""
    with pytest.raises(InputError, match=r"@made/nets@2.0.0: npm cannot download it \(.*2.0.0"):
        npm.run(asked(tmp_path), {"nets": replace(package, version="2.0.0")})
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:1")
    with pytest.raises(InputError, match=r"ECONNREFUSED 127.0.0.1:1\). Check the network") as error:
        npm.run(asked(tmp_path), {"nets": package})
    assert 1 == len(str(error.value).splitlines())
    assert [] == list((tmp_path / "models").iterdir())


def test_the_digest_of_a_package_is_compared(site, tmp_path, package):
    """Another archive of the same version is not unpacked, though the registry vouches for it."""
    offer(site, packed(FILES | {"package/run.js": b"changed"}))
    with pytest.raises(InputError, match=r"its digest is sha512-.*, but sha512-.* is listed in"):
        npm.run(asked(tmp_path), {"nets": package})
    assert [] == list((tmp_path / "models").iterdir())


@pytest.mark.parametrize("case", ["missing", "changed", "link", "elsewhere"])
def test_a_listed_file_that_is_missing_or_another_is_rejected(site, tmp_path, package, case):
    """Also a link under its name, and a file whose path leads out of the archive's folder."""
    files = dict(FILES)
    del files["package/LICENSE"]
    files |= {"changed": {"package/LICENSE": b"paid"}, "elsewhere": {"../LICENSE": b"free"}}.get(
        case, {}
    )
    offer(site, packed(files, ["package/LICENSE"] if case == "link" else []))
    with pytest.raises(InputError, match="lacks files that benchmarks"):
        npm.run(asked(tmp_path), {"nets": replace(package, integrity=integrity(site.content))})
    assert [] == names(tmp_path)


def test_a_directory_in_use_is_not_overwritten(site, tmp_path, package):
    """Another content stays; with --overwrite only what gfr has fetched is replaced."""
    target = tmp_path / "models" / "nets"
    target.mkdir(parents=True)
    (target / "mine").write_text("")
    with pytest.raises(InputError, match=r"nets: exists and is not @made/nets@1.0.0. Name another"):
        npm.run(asked(tmp_path), {"nets": package})
    with pytest.raises(InputError, match="was not fetched by gfr"):
        npm.run(asked(tmp_path, replace=True), {"nets": package})
    (target / "fetched.json").write_text("{}")
    assert npm.run(asked(tmp_path, replace=True), {"nets": package})
    assert ["LICENSE", "fetched.json", "models/net.json"] == names(target)


def test_two_fetches_into_one_directory_do_not_mix(site, tmp_path, package):
    """The second one is refused."""
    work = tmp_path / "models" / "fetch-nets"
    busy = pytest.raises(InputError, match="another gfr models fetch is running there")
    with locks.locked(work / "lock"), busy:
        npm.run(asked(tmp_path), {"nets": package})


def test_the_commands_list_and_fetch(site, tmp_path, package, monkeypatch, capsys):
    """Into models/NAME of the project by default, or through a link to a larger disk."""
    toml = [f'{key} = "{getattr(package, key)}"' for key in ("package", "version", "integrity")]
    toml += [f'{key} = "{getattr(package, key)}"' for key in ("license", "source", "trained_on")]
    toml = ["schema = 1", "[models.nets]", *toml, "[models.nets.files]"]
    toml += [f'"{name}" = "{sha256}"' for name, sha256 in package.files.items()]
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "models.toml").write_text("\n".join(toml))
    (tmp_path / "benchmarks" / "full.toml").touch()  # of a clone
    monkeypatch.setattr(paths, "ROOT", tmp_path)

    def said(*words):
        app(["models", *words], standalone_mode=False)
        return capsys.readouterr().out

    assert "nets: @made/nets@1.0.0, not fetched" in said("list")
    disk, link = tmp_path / "disk", tmp_path / "link"
    disk.mkdir()
    link.symlink_to(disk)
    answer = said("fetch", "nets", "--accept-license")
    assert "2 files" in answer and "For cats only" in answer and "Trained on cats" in answer
    assert ["LICENSE", "fetched.json", "models/net.json"] == names(tmp_path / "models" / "nets")
    (row,) = json.loads(said("list", "--json"))
    assert row["is_here"] and "nets" == row["name"]
    assert "already, nothing was fetched" in said("fetch", "nets", "--accept-license")
    done = json.loads(said("fetch", "nets", "--accept-license", "--to", str(link), "--json"))
    assert str(disk) == done["directory"] and link.is_symlink()
    assert package.files == done["fetched"]["files"]


def test_the_projects_catalogue_is_whole():
    """Both packages keep their licence, and no benchmark is named like the catalogue."""
    packages = catalog.load_packages(paths.ROOT / "benchmarks" / "models.toml")
    assert ["human-models", "face-api"] == list(packages)
    assert all("LICENSE" in package.files for package in packages.values())
    assert "models" not in benchmark_files.benchmark_names()
