"""`gfr data fetch`: a server that fails, an archive that is hostile, and the data directory."""

import contextlib
import errno
import hashlib
import io
import json
import random
import stat
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_server import Site, serve

from cli.main import main
from gfr.data import dataset
from gfr.data.download import catalog, fetch, http, zip_archive
from gfr.errors import InputError
from gfr.progress import reporter
from gfr.storage import locks
from gfr.storage.paths import ROOT

SOURCES = catalog.load(ROOT / "benchmarks" / "sources.toml")
NOISE = random.Random(1).randbytes(2_600_000)


@pytest.fixture
def site():
    """A server of its own for each test."""
    with serve(Site()) as running:
        yield running


def asked(site, tmp_path, **changes):
    """The usual command, with the licence accepted."""
    request = fetch.Request(
        directory=tmp_path / "data" / "celeba",
        source="published",
        url=f"{site.url}/main.zip",
        sha256=None,
        is_license_accepted=True,
        is_offline=False,
        replace=False,
    )
    return replace(request, **changes)


def packed(files, modes=None):
    """A zip of {name: bytes}; names in `modes` get that Unix mode."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (modes or {}).get(name, stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data)
    return stream.getvalue()


@pytest.fixture
def repository(celeba):
    """A Git archive of 12 images beside what else a repository holds; 13 images are listed."""
    root = celeba(12)
    labels = (root / "list_attr_celeba.txt").read_text().replace("12\n", "13\n", 1)
    files = {
        "project-main/README.md": b"# A project\n",
        "project-main/web/logo.jpg": b"no face",
        "project-main/test/000001.jpg": b"no face either",
        "project-main/raw_data/list_attribute.txt": (labels + "999999.jpg -1 1 1\n").encode(),
    }
    for path in (root / "images").iterdir():
        files[f"project-main/raw_data/faces/{path.name}"] = path.read_bytes()
    return files


def test_a_git_archive_becomes_a_data_directory(site, tmp_path, repository):
    """Images and labels are found by name; the second time nothing is requested."""
    site.content = packed(repository)
    fetched = fetch.run(asked(site, tmp_path), SOURCES)
    target = tmp_path / "data" / "celeba"
    assert (12, 13, 6) == (fetched.num_images, fetched.num_listed, fetched.num_male)
    assert hashlib.sha256(site.content).hexdigest() == fetched.origin.sha256
    assert not fetched.origin.is_checked
    assert fetched.origin.url == json.loads((target / "fetched.json").read_text())["origin"]["url"]
    faces = dataset.load(target, "all", seed=1).faces
    assert ("000001.jpg", "000012.jpg", 12) == (faces.names[0], faces.names[-1], len(faces.names))
    assert [True, False, True] == faces.is_male[:3].tolist()
    assert repository["project-main/raw_data/faces/000001.jpg"] == faces.paths()[0].read_bytes()
    assert [target] == list(target.parent.iterdir())
    assert fetch.run(asked(site, tmp_path), SOURCES) is None
    assert 1 == site.num_requests


def test_the_list_at_the_top_of_an_archive_is_taken():
    """The place in the archive comes before the name, and what macOS adds is not looked at."""
    names = ("list_attribute.txt", "list_attr_celeba.csv")
    paths = ["p/old/list_attribute.txt", "p/list_attr_celeba.csv", "__MACOSX/list_attribute.txt"]
    found = zip_archive._find([zipfile.ZipInfo(path) for path in paths], names)
    assert "p/list_attr_celeba.csv" == found.filename
    assert zip_archive._find([zipfile.ZipInfo("p/other.csv")], names) is None


def test_the_command_fills_what_a_link_leads_to(site, tmp_path, repository, monkeypatch, capsys):
    """It may be on a larger disk. What stands beside it stays, whatever its name begins with."""
    site.content = packed(repository)
    faces, link = tmp_path / "disk" / "faces", tmp_path / "link"
    faces.mkdir(parents=True)
    (tmp_path / "disk" / "tmp-old-faces").mkdir()
    (tmp_path / "disk" / "tmp-0123456789ab-faces").mkdir()  # a killed writer's
    link.symlink_to(faces)
    words = ["data", "fetch", str(link), "--accept-license", "--url", f"{site.url}/main.zip"]
    monkeypatch.setattr("sys.argv", ["gfr", *words])
    monkeypatch.delenv("GFR_OFFLINE", raising=False)  # CI sets it; the server here is on loopback
    with pytest.raises(SystemExit) as ending:
        main()
    said = capsys.readouterr().out
    assert 0 == ending.value.code and link.is_symlink()
    assert {"faces", "tmp-old-faces"} == {path.name for path in (tmp_path / "disk").iterdir()}
    assert "12 images (6 male, 6 female)" in said
    assert "listed but not in the archive, left out: 1" in said
    assert "were expected" not in said  # of another address gfr expects nothing


def test_a_download_that_is_cut_off_leaves_nothing_and_starts_anew(site, tmp_path, repository):
    """A part of a file is never taken for the whole."""
    site.content, site.cuts = packed(repository), [1000]
    with pytest.raises(InputError, match=r"cannot be downloaded \(IncompleteRead\(1000 bytes read"):
        fetch.run(asked(site, tmp_path), SOURCES)
    assert [] == list((tmp_path / "data").iterdir())
    assert 12 == fetch.run(asked(site, tmp_path), SOURCES).num_images
    assert 2 == site.num_requests


def test_a_digest_is_compared(site, tmp_path, repository):
    """A wrong one deletes the file, the right one is recorded as checked."""
    site.content = packed(repository)
    with pytest.raises(InputError, match=r"does not match the known hash: expected sha256:0{64}"):
        fetch.run(asked(site, tmp_path, sha256="0" * 64), SOURCES)
    assert [] == list((tmp_path / "data").iterdir())
    right = hashlib.sha256(site.content).hexdigest().upper()
    assert fetch.run(asked(site, tmp_path, sha256=right), SOURCES).origin.is_checked
    assert 2 == site.num_requests


def test_a_redirect_to_plain_http_is_rejected():
    """Anyone on the way could change the file."""
    response = SimpleNamespace(url="http://example.org/main.zip")
    with pytest.raises(InputError, match="redirects to http://example"):
        http._reject_plain_http("https://example.org/main.zip", response)


@pytest.mark.parametrize(
    ("change", "words", "line"),
    [
        ({"status": 404}, {}, "answers 404 Not Found. Name another with --url"),
        ({"status": 500}, {}, "answers 500 Internal Server Error. Try again later"),
        (
            {},
            {"url": "http://127.0.0.1:1/x.zip"},
            "cannot be downloaded .*Connection refused.* Check the network",
        ),
        ({}, {"url": "file:///etc/passwd"}, "must begin with https:// or http://"),
        ({}, {"is_offline": True}, "--offline or GFR_OFFLINE is set"),
        (
            {},
            {"is_license_accepted": False},
            "non-commercial research .* Accept that with --accept-license",
        ),
        ({}, {"sha256": "abc"}, "not 64 hexadecimal digits"),
        ({}, {"source": "kaggle"}, "'kaggle': unknown; known: published, huggingface"),
        ({"content": b"x" * 2000}, {}, "larger than 0 MB. .*raise archive_bytes"),
        ({"content": b"<html>no zip</html>"}, {}, "not a complete zip archive"),
    ],
)
def test_a_failed_fetch_is_one_line(site, tmp_path, change, words, line):
    """It leaves nothing behind."""
    for name, value in change.items():
        setattr(site, name, value)
    small = replace(SOURCES, limits=replace(SOURCES.limits, archive_bytes=1000))
    with pytest.raises(InputError, match=line) as caught:
        fetch.run(asked(site, tmp_path, **words), small)
    assert "\n" not in str(caught.value)
    assert [] == [path for path in tmp_path.rglob("*") if path.suffix in (".zip", ".part", ".jpg")]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("HTTPS_PROXY", "garbage://x"),
        ("HTTPS_PROXY", "http://[::1"),
        ("REQUESTS_CA_BUNDLE", "/nowhere.pem"),
    ],
)
def test_wrong_network_settings_are_one_line(tmp_path, monkeypatch, variable, value):
    """Proxies and certificates come from the environment; each raises another error."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=r"cannot be downloaded .*HTTPS_PROXY.*REQUESTS_CA_BUNDLE"):
        http.fetch("https://127.0.0.1:1/x", tmp_path / "x", "", 100, lambda done, total: None)


LABELS = "p/list_attr_celeba.txt"
LINK = {"p/images/a.jpg": stat.S_IFLNK}
HOSTILE = {
    "a label file that leads out": ({LABELS: b"1\nMale\n../../outside.jpg 1\n"}, {}, "not a plain"),
    "a link as image": ({"p/images/a.jpg": b"/etc/passwd"}, LINK, "1 of 2 chosen images"),
    "a link as labels": ({LABELS: b"/etc/passwd"}, {LABELS: stat.S_IFLNK}, "no rows"),
    "a bomb": ({"p/images/a.jpg": bytes(2_000_000)}, {}, "2,000,000 bytes, more than 1,000,000"),
    "a huge file": ({"p/images/a.jpg": NOISE}, {}, "2,600,000 bytes, more than 2,500,000"),
    "many files": ({f"p/{i}": b"" for i in range(21)}, {}, "files in it, more than 20"),
    "no label file": ({LABELS: None}, {}, "no label file in it; looked for"),
    "no images": ({"p/images/a.jpg": None, "p/images/b.jpg": None}, {}, "no image in it"),
    "images that are none": ({"p/images/a.jpg": b"text"}, {}, "1 of 2 chosen images"),
    "one class": ({LABELS: b"2\nMale\na.jpg 1\nb.jpg 1\n"}, {}, "images are male"),
}


def small_archive(repository, changes, modes=None):
    """A zip of two images and their labels, with files changed or (None) left out."""
    images = sorted(name for name in repository if "/faces/" in name)
    files = {
        LABELS: b"2\nMale\na.jpg 1\nb.jpg -1\n",
        "p/images/a.jpg": repository[images[0]],
        "p/images/b.jpg": repository[images[1]],
    } | changes
    return packed({k: v for k, v in files.items() if v is not None}, modes=modes)


def test_only_listed_names_are_written(site, tmp_path, repository):
    """Whatever else is in an archive, and wherever its names lead."""
    names = (
        "p/../../outside.jpg",
        "/tmp/outside.jpg",
        "..\\outside.jpg",
        "p/images/c.jpg",
        "p/null",
    )
    site.content = small_archive(
        repository, {name: b"x" for name in names}, {"p/null": stat.S_IFCHR}
    )
    assert 2 == fetch.run(asked(site, tmp_path), SOURCES).num_images
    written = [path for path in tmp_path.glob("data/**/*") if path.is_file()]
    expected = {"a.jpg", "b.jpg", "list_attr_celeba.txt", "fetched.json"}
    assert (4, expected) == (len(written), {path.name for path in written})


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_rejected_whole(site, tmp_path, repository, case):
    """Nothing of it is written, and it is not kept."""
    changes, modes, line = HOSTILE[case]
    site.content = small_archive(repository, changes, modes)
    limits = replace(SOURCES.limits, files=20, file_bytes=2_500_000)
    with pytest.raises(InputError, match=line):
        fetch.run(asked(site, tmp_path), replace(SOURCES, limits=limits))
    assert [] == list((tmp_path / "data").iterdir())


@pytest.mark.parametrize("spoil", ["cut short", "a flipped byte", "more than is allowed in all"])
def test_a_damaged_archive_is_rejected_whole(site, tmp_path, repository, spoil):
    """Its directory is gone, an image is damaged, or it is too large in all."""
    content, limits = packed(repository), SOURCES.limits
    if spoil == "cut short":
        content = content[: len(content) // 2]
    elif spoil == "a flipped byte":
        place = content.index(b"faces/000007.jpg") + 5000
        content = content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]
    else:
        limits = replace(limits, unpacked_bytes=100_000)
    site.content = content
    with pytest.raises(InputError, match=r"zip archive|bytes unpacked, more than 100,000"):
        fetch.run(asked(site, tmp_path), replace(SOURCES, limits=limits))
    assert [] == list((tmp_path / "data").iterdir())


def test_existing_data_stays(site, tmp_path, celeba):
    """Own data is found and never replaced; a directory with other files is rejected."""
    own = celeba(12)
    assert fetch.run(asked(site, tmp_path, directory=own), SOURCES) is None
    with pytest.raises(InputError, match=r"was not fetched by gfr\. Move it away yourself"):
        fetch.run(asked(site, tmp_path, directory=own, replace=True), SOURCES)
    assert (own / "images" / "000012.jpg").exists()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match=r"exists and is not CelebA\. Name another directory"):
        fetch.run(asked(site, tmp_path, directory=tmp_path / "home"), SOURCES)
    assert 0 == site.num_requests


def test_fetched_data_is_replaced_with_overwrite(site, tmp_path, repository):
    """By a complete new set, and not by one that fails."""
    site.content = packed(repository)
    fetch.run(asked(site, tmp_path), SOURCES)
    repository.pop("project-main/raw_data/faces/000001.jpg")
    site.content = packed(repository)
    with pytest.raises(InputError, match="does not match the known hash"):
        fetch.run(asked(site, tmp_path, replace=True, sha256="0" * 64), SOURCES)
    images = tmp_path / "data" / "celeba" / "img_align_celeba"
    assert 12 == len(list(images.iterdir()))
    assert 11 == fetch.run(asked(site, tmp_path, replace=True), SOURCES).num_images
    assert 11 == len(list(images.iterdir()))


def test_a_full_disk_costs_no_second_download(site, tmp_path, repository, monkeypatch):
    """The archive is kept, and the same command unpacks it."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    site.content = packed(repository)
    with monkeypatch.context() as patched:
        patched.setattr(zip_archive.shutil, "copyfileobj", full)
        with pytest.raises(InputError, match="No space left on device"):
            fetch.run(asked(site, tmp_path), SOURCES)
    assert [tmp_path / "data" / "fetch-celeba"] == list((tmp_path / "data").iterdir())
    assert 12 == fetch.run(asked(site, tmp_path), SOURCES).num_images
    assert 1 == site.num_requests


def test_two_at_once_do_not_mix(site, tmp_path):
    """The second is rejected."""
    lock = tmp_path / "data" / "fetch-celeba" / "lock"
    with locks.locked(lock), pytest.raises(InputError, match="another gfr data fetch is running"):
        fetch.run(asked(site, tmp_path), SOURCES)


@pytest.mark.parametrize(
    ("offset", "values", "line"),
    [
        (6, b"\xff", "zip file version 25"),  # of central entry 1: what it takes to unpack it
        (8, b"\x01", "zip archive"),  # encrypted
        (28, b"\x00\x00", "zip archive|no image in it"),
        (42, b"\xff\xff\xff\x7f", "zip archive"),  # where its data is
    ],
)
def test_a_false_archive_directory_is_rejected(tmp_path, offset, values, line):
    """Each of them makes zipfile raise another error."""
    content = bytearray(SMALL)
    place = content.index(b"PK\x01\x02") + offset
    content[place : place + len(values)] = values
    (tmp_path / "a.zip").write_bytes(content)
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=line):
        zip_archive.unpack(tmp_path / "a.zip", tmp_path / "out", SOURCES, reporter("unpack"))


SMALL = packed(
    {
        LABELS: b"2\nMale\na.jpg 1\nb.jpg -1\n",
        "p/identity_CelebA.txt": b"a.jpg 5\nb.jpg 6\n",
        "p/images/a.jpg": bytes(range(200)),
        "p/images/b.jpg": bytes(range(50, 250)),
    }
)


@pytest.mark.slow
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), max_size=6))
def test_an_archive_damaged_at_random_is_unpacked_or_rejected(tmp_path, changes):
    """No other error, and no file elsewhere."""
    content = bytearray(SMALL)
    for place, value in changes:
        content[place] = value
    with tempfile.TemporaryDirectory(dir=tmp_path) as scratch:
        out = Path(scratch) / "out"
        out.mkdir()
        (Path(scratch) / "a.zip").write_bytes(content)
        with contextlib.suppress(InputError):
            zip_archive.unpack(Path(scratch) / "a.zip", out, SOURCES, reporter("unpack"))
        assert {"a.zip", "out"} == {path.name for path in Path(scratch).iterdir()}
