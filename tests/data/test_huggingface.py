"""CelebA out of parquet files as Hugging Face keeps them, and the way from its server."""

import hashlib
import json
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from local_server import Site, serve
from test_fetch import SOURCES, asked

from gfr.data import dataset
from gfr.data.download import fetch, huggingface
from gfr.errors import InputError
from gfr.progress import reporter


def write_shard(path, photos, paths=None, **columns):
    """One parquet file: image structs, identities 7, 8, ... and two attributes."""
    paths = paths or [None] * len(photos)
    rows = np.arange(len(photos))
    table = {
        "image": [{"bytes": b, "path": p} for b, p in zip(photos, paths, strict=True)],
        "celeb_id": rows + 7,
        "Eyeglasses": rows % 3 == 2,
        "Male": rows % 2 == 0,
    }
    table |= columns
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table({k: v for k, v in table.items() if v is not None}), path)
    return path


@pytest.fixture
def photos(celeba):
    """The bytes of eight pictures."""
    return [path.read_bytes() for path in sorted((celeba(8) / "images").iterdir())]


def convert(shards, tmp_path):
    """The shards as a data directory."""
    (tmp_path / "out").mkdir()
    num_listed = huggingface.convert(shards, tmp_path / "out", reporter("unpack"))
    return num_listed, dataset.load(tmp_path / "out", "all", seed=1).faces


def test_shards_become_the_official_layout(tmp_path, photos):
    """In CelebA's order of partitions, with identities; names are the files' own where they can."""
    shards = [
        write_shard(tmp_path / "in" / "test-00000-of-00001.parquet", photos[6:]),
        write_shard(
            tmp_path / "in" / "train-00000-of-00001.parquet",
            photos[:4],
            ["000040.jpg", "../../000041.jpg", "/etc/passwd", "000043.jpg"],
        ),
        write_shard(tmp_path / "in" / "valid-00000-of-00001.parquet", photos[4:6]),
    ]
    num_listed, faces = convert(shards, tmp_path)
    assert 8 == num_listed
    # 2 and 3 have no plain name and 5 to 8 none: they are named by their place.
    named = ["000002.jpg", "000003.jpg", "000005.jpg", "000006.jpg", "000007.jpg", "000008.jpg"]
    assert [*named, "000040.jpg", "000043.jpg"] == list(faces.names)
    assert [False, True, True, False, True, False, True, False] == faces.is_male.tolist()
    assert [8, 9, 7, 8, 7, 8, 7, 10] == faces.identity.tolist()
    assert [0, 0, 1, 1, 2, 2, 0, 0] == faces.table["partition"].tolist()
    assert ["Eyeglasses", "Male"] == list(faces.attributes.columns)
    assert photos[7] == faces.paths()[5].read_bytes()


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        ({"Male": None}, "no column Male. Is it CelebA"),
        ({"celeb_id": None}, "no column celeb_id"),
        ({"Male": [1, -1]}, "Male is not true or false in every row"),
        ({"Eyeglasses": [True, None]}, "Eyeglasses is not true or false in every row"),
        ({"celeb_id": ["x", "y"]}, "celeb_id is not a whole number in every row"),
        ({"image": [None, None]}, "image 1 has no bytes"),
        ({"image": ["a", "b"]}, "image 1 has no bytes"),
    ],
)
def test_a_file_that_is_not_celeba_is_refused_by_name(tmp_path, photos, columns, line):
    """Whatever its columns hold."""
    shard = write_shard(tmp_path / "in" / "train-0.parquet", photos[:2], **columns)
    with pytest.raises(InputError, match=rf"train-0\.parquet: {line}"):
        convert([shard], tmp_path)


def test_a_file_that_is_damaged_or_repeats_itself_is_refused(tmp_path, photos):
    """And one whose name tells no partition."""
    twice = write_shard(tmp_path / "in" / "train-0.parquet", photos[:2], ["a.jpg", "a.jpg"])
    with pytest.raises(InputError, match=r"a\.jpg is listed twice"):
        convert([twice], tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match=r"all\.parquet: does not begin with train, valid, test"):
        huggingface.convert([tmp_path / "all.parquet"], tmp_path / "none", reporter("unpack"))
    twice.write_bytes(twice.read_bytes()[:-100])
    (tmp_path / "more").mkdir()
    with pytest.raises(InputError, match=r"train-0\.parquet: damaged"):
        huggingface.convert([twice], tmp_path / "more", reporter("unpack"))


@pytest.fixture
def hub(tmp_path, photos):
    """A stand-in for the hub with two shards; huggingface_hub talks to it."""
    pytest.importorskip("huggingface_hub")
    source = SOURCES.huggingface
    site, tree = Site(), []
    for name, part in (("train-0.parquet", photos[:6]), ("test-0.parquet", photos[6:])):
        data = write_shard(tmp_path / "in" / name, part).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        path = f"{source.folder}/{name}"
        lfs = {"oid": digest, "size": len(data), "pointerSize": 134}
        tree.append({"type": "file", "path": path, "oid": "0", "size": len(data), "lfs": lfs})
        headers = {"ETag": f'"{digest}"', "X-Repo-Commit": source.revision}
        place = f"/datasets/{source.repository}/resolve/{source.revision}/{path}"
        site.pages[place.replace("+", "%2B")] = (headers, data)
    tree.append(tree[0] | {"path": f"{source.folder}/../../../train-1.parquet"})  # is left out
    listing = f"/api/datasets/{source.repository}/tree/{source.revision}/{source.folder}"
    site.pages[listing.replace("+", "%2B") + "?recursive=false&expand=false"] = (
        {"Content-Type": "application/json"},
        json.dumps(tree).encode(),
    )
    with serve(site) as running:
        yield running


def test_the_hub_s_files_are_fetched_and_checked(hub, tmp_path):
    """Each against the digest of the listing; the shards do not stay."""
    request = asked(hub, tmp_path, source="huggingface", url=hub.url)
    fetched = fetch.run(request, SOURCES)
    assert (8, 4, True) == (fetched.num_images, fetched.num_male, fetched.origin.is_checked)
    assert [request.directory] == list(request.directory.parent.iterdir())


def test_a_file_of_the_hub_with_another_digest_is_deleted(hub, tmp_path):
    """It is named, and nothing is put in place."""
    path, (headers, data) = next(iter(hub.pages.items()))
    hub.pages[path] = (headers, data[:-1] + b"?")
    with pytest.raises(
        InputError, match=r"train-0\.parquet: SHA-256 .* is listed. The file was deleted"
    ):
        fetch.run(asked(hub, tmp_path, source="huggingface", url=hub.url), SOURCES)
    assert [] == list(tmp_path.glob("data/**/*.parquet"))


def test_a_hub_that_is_away_or_refuses_is_one_line(hub, tmp_path):
    """No network, and no such repository."""
    nowhere = replace(SOURCES.huggingface, endpoint="http://127.0.0.1:1")
    with pytest.raises(InputError, match=r"cannot be downloaded .* Check the network"):
        huggingface.fetch(nowhere, tmp_path, reporter("download"))
    hub.status, hub.pages = 404, {}
    unknown = replace(SOURCES.huggingface, endpoint=hub.url)
    with pytest.raises(InputError, match=r"flwrlabs/celeba cannot be downloaded .*404") as caught:
        huggingface.fetch(unknown, tmp_path, reporter("download"))
    assert "\n" not in str(caught.value)


def test_without_the_extra_its_name_is_said(tmp_path, monkeypatch):
    """And how to install it."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"not installed. .*uv pip install .* -e '\.\[hf\]'"):
        huggingface.fetch(SOURCES.huggingface, tmp_path, reporter("download"))
