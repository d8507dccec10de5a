"""CelebA's layouts, the choice of images, the split, and how they are described."""

import random
import shutil
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from conftest import write_image, write_labels
from PIL import Image

from gfr import types
from gfr.config import benchmark_files, loader
from gfr.data import dataset, inspection, label_lists, loading, records
from gfr.data import splits as data_splits
from gfr.errors import InputError


def quiet(done, total):
    """No progress."""


def look(root, num_images="all", seed=1):
    """Load and inspect in one go."""
    listing = dataset.load(root, num_images, seed)
    return listing, *inspection.inspect(listing.faces, quiet)


def as_csv(root):
    """Kaggle's form of the label file."""
    path = root / "list_attr_celeba.txt"
    _, header, *lines = path.read_text().splitlines()
    rows = ["image_id," + header.replace(" ", ","), *(line.replace(" ", ",") for line in lines)]
    path.with_suffix(".csv").write_text("\n".join(rows) + "\n")
    path.unlink()


def renamed(root):
    """The published project's name of the label file."""
    (root / "list_attr_celeba.txt").rename(root / "list_attribute.txt")


def official(root):
    """CelebA as its authors pack it: images and labels in folders of their own."""
    (root / "Anno").mkdir()
    (root / "list_attr_celeba.txt").rename(root / "Anno" / "list_attr_celeba.txt")


@pytest.mark.parametrize(
    ("folder", "arrange"),
    [
        ("images", lambda root: None),
        ("img_align_celeba", renamed),
        ("img_align_celeba/img_align_celeba", as_csv),
        ("Img/img_align_celeba", official),
    ],
)
def test_every_layout_gives_the_same_faces(celeba, folder, arrange):
    """Images and labels are found independently, all attributes stay with each image."""
    root = celeba(12, folder)
    arrange(root)
    faces = dataset.load(root, "all", seed=1).faces
    assert ("000001.jpg", "000012.jpg") == (faces.names[0], faces.names[-1])
    assert [True, False, True] == faces.is_male[:3].tolist()
    assert ["Eyeglasses", "Male", "Smiling"] == list(faces.attributes.columns)
    assert [False, False, True] == faces.attributes["Eyeglasses"].tolist()[:3]
    assert all(path.is_file() for path in faces.paths())


def test_the_same_seed_chooses_the_same_images_in_any_order():
    """Neither the order of the list nor the machine matters; another seed chooses others."""
    names = [f"{i:06}.jpg" for i in range(1, 1001)]
    shuffled = random.Random(0).sample(names, len(names))
    chosen = dataset.choose(names, 100, 1024, "labels")
    assert chosen == dataset.choose(shuffled, 100, 1024, "labels")
    assert chosen != dataset.choose(names, 100, 1025, "labels")
    # SHA-256 of "1024/choose/<name>" is the same on every machine.
    assert ["000006.jpg", "000009.jpg", "000022.jpg"] == chosen[:3]


def test_the_split_is_exact_stratified_and_blind_to_order():
    """20/20/60 to the image; each class within one image of its share."""
    names = [f"{i:06}.jpg" for i in range(1, 1001)]
    is_male = np.arange(1000) % 5 < 2
    splits = data_splits.split_images(names, is_male, (0.2, 0.2), 1024)
    assert {"test": 200, "validation": 200, "train": 600} == {
        name: int((splits == name).sum()) for name in types.SPLITS
    }
    for name in types.SPLITS:
        assert abs(0.4 * (splits == name).sum() - is_male[splits == name].sum()) <= 1
    order = np.random.default_rng(0).permutation(1000)
    shuffled = data_splits.split_images([names[i] for i in order], is_male[order], (0.2, 0.2), 1024)
    assert splits[order].tolist() == shuffled.tolist()


def test_a_missing_image_is_dropped_by_name_and_never_replaced(celeba, tmp_path):
    """One of 100 is said; what it leaves behind keeps its split."""
    root = celeba(100)
    smoke = loader.load(benchmark_files.benchmark_file("smoke"))
    hundred = replace(smoke, data=replace(smoke.data, images=100))
    whole = loading.look(str(root), hundred, tmp_path)
    (root / "images" / "000007.jpg").unlink()
    looked = loading.look(str(root), hundred, tmp_path)
    assert {"000007.jpg": "missing"} == looked.data.dropped
    assert (100, 99) == (looked.data.num_asked, looked.data.num_used)
    before = dict(zip(whole.faces.names, whole.splits, strict=True))
    del before["000007.jpg"]
    assert before == dict(zip(looked.faces.names, looked.splits, strict=True))


def test_more_than_one_percent_undecodable_is_an_error(celeba):
    """Two of 100: the message counts them and names the first."""
    root = celeba(100)
    (root / "images" / "000007.jpg").write_text("no image")
    (root / "images" / "000009.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"2 of 100 .* 000007.jpg \(not an image\)"):
        look(root)


def chunk(kind, content):
    """One chunk of a PNG."""
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def sixteen_bit_png():
    """A grey 178 x 218 PNG of 16-bit RGB, which Pillow can read but not write."""
    header = struct.pack(">IIBBBBB", 178, 218, 16, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80\x01" * 3 * 178) * 218)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def test_odd_images_are_converted_and_counted(celeba):
    """Grey, CMYK and 16-bit files become RGB, others stand upright; an odd size is counted."""
    root = celeba(12)
    folder = root / "images"
    write_image(folder / "000001.jpg", 1, "L")
    write_image(folder / "000002.jpg", 2, "CMYK")
    ramp = np.linspace(0, 65535, 218 * 178).reshape(218, 178).astype(np.uint16)
    Image.fromarray(ramp).save(folder / "000003.jpg", "PNG")
    Image.new("RGB", (1, 1)).save(folder / "000004.jpg")
    (folder / "000005.jpg").write_bytes(sixteen_bit_png())
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.open(folder / "000006.jpg").save(folder / "000006.jpg", exif=exif)
    _, _, flaws = look(root)
    assert {"CMYK": 1, "I;16B": 1, "L": 1, "RGB;16B": 1} == flaws.converted
    assert (1, 1) == (flaws.num_other_size, flaws.num_turned)


@pytest.mark.parametrize("side_px", [8_000, 30_000])
def test_an_enormous_image_is_dropped_before_it_is_decoded(celeba, side_px):
    """A header that promises 64 or 900 million pixels: named with the reason, the others serve."""
    root = celeba(120)
    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 2, 0, 0, 0)
    (root / "images" / "000007.jpg").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    ((name, reason),) = look(root)[2].dropped.items()
    assert "000007.jpg" == name
    assert f"{side_px} x {side_px} px is more than" in reason or "exceeds limit" in reason


def test_equal_images_and_shared_identities_are_found(celeba):
    """The same picture in two splits, the same person in train and test."""
    root = celeba(40)
    names = [f"{i:06}.jpg" for i in range(1, 41)]
    listing = dataset.load(root, "all", 1)
    splits = data_splits.split_images(listing.faces.names, listing.faces.is_male, (0.2, 0.2), 1)
    in_train = names[int(np.flatnonzero(splits == "train")[0])]
    in_test = names[int(np.flatnonzero(splits == "test")[0])]
    shutil.copy(root / "images" / in_train, root / "images" / in_test)
    identity = {name: i for i, name in enumerate(names)} | {in_test: names.index(in_train)}
    (root / "identity_CelebA.txt").write_text(
        "".join(f"{name} {number}\n" for name, number in identity.items())
    )
    _, faces, _ = look(root)
    found = records.describe_split(faces, splits)
    assert (tuple(sorted([in_train, in_test])),) == found.duplicates_across
    assert 1 == found.identities_in_train_and_test == found.test_images_of_shared_identities
    assert 0 == found.validation_images_of_shared_identities


def test_the_digest_follows_pixels_and_labels(celeba):
    """A changed pixel changes both digests, a changed label only that of the data."""
    root = celeba(12)

    def record():
        return records.describe("celeba", root, *look(root))

    before = record()
    labels = root / "list_attr_celeba.txt"
    labels.write_text(labels.read_text().replace("000001.jpg -1 1", "000001.jpg -1 -1"))
    relabelled = record()
    write_image(root / "images" / "000002.jpg", 99)
    redrawn = record()
    assert before.pixels_digest == relabelled.pixels_digest != redrawn.pixels_digest
    assert before.digest != relabelled.digest


def test_faces_survive_their_table(celeba, tmp_path):
    """What faces.csv keeps is what was chosen."""
    root = celeba(12)
    faces = look(root)[1]
    splits = data_splits.split_images(faces.names, faces.is_male, (0.2, 0.2), 1)
    path = tmp_path / "faces.csv"
    records.write_table(path, faces, splits)
    data = records.describe("celeba", root, *look(root))
    split = records.describe_split(faces, splits)
    back, splits_back = records.read_table(path, data, split)
    assert faces.names == back.names
    assert faces.is_male.tolist() == back.is_male.tolist()
    assert splits.tolist() == splits_back.tolist()
    assert faces.pixels_sha256 == back.pixels_sha256
    assert faces.attributes.equals(back.attributes)
    text = path.read_text()
    for spoilt in ("", text[: len(text) // 2], text.replace(",test,", ",train,", 1)):
        path.write_text(spoilt)
        with pytest.raises(InputError, match=r"faces\.csv: damaged"):
            records.read_table(path, data, split)


@pytest.mark.parametrize(
    ("partition", "words"),
    [
        (None, "needs list_eval_partition.txt"),
        ({i: i % 3 for i in range(1, 40)}, "have no partition, the first is 000040"),
        ({i: 0 for i in range(1, 41)}, "the validation split of 40 images lacks a class"),
        ({i: 2 * (i % 2) for i in range(1, 41)}, "lacks a class. Use more images"),
    ],
)
def test_an_official_split_needs_a_partition_with_both_classes(celeba, tmp_path, partition, words):
    """No file, an image that it does not list, an empty split, a split of one class."""
    root, smoke = celeba(40), loader.load(benchmark_files.benchmark_file("smoke"))
    if partition:
        lines = "".join(f"{i:06}.jpg {number}\n" for i, number in partition.items())
        (root / "list_eval_partition.txt").write_text(lines)
    forty = replace(smoke, data=replace(smoke.data, images=40, split="official"))
    with pytest.raises(InputError) as refused:
        loading.look(str(root), forty, tmp_path)
    assert words in str(refused.value)


def test_the_official_partition_decides_the_split(celeba, tmp_path):
    """Every image is in the split that the file names; a missing one moves no other."""
    root, smoke = celeba(120), loader.load(benchmark_files.benchmark_file("smoke"))
    number_of = {f"{i:06}.jpg": (i // 2) % 3 for i in range(1, 121)}
    lines = "".join(f"{name} {number}\n" for name, number in number_of.items())
    (root / "list_eval_partition.txt").write_text(lines)
    (root / "images" / "000007.jpg").unlink()
    every = replace(smoke, data=replace(smoke.data, images="all", split="official"))
    looked = loading.look(str(root), every, tmp_path)
    expected = [("train", "validation", "test")[number_of[name]] for name in looked.faces.names]
    assert expected == looked.splits.tolist()
    assert (119, {"000007.jpg": "missing"}) == (len(expected), looked.data.dropped)


ROWS = {"000001.jpg": (1, 1, -1), "000002.jpg": (1, -1, -1)}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: "", "no rows"),
        (lambda text: text.replace("2\n", "3\n", 1), "states 3 rows, has 2"),
        (lambda text: text.replace("Male", "Mail"), "no column Male"),
        (
            lambda text: text.replace("000002.jpg 1", "000002.jpg 7"),
            "jpg: Eyeglasses is '7'; use 0/1, 0.0/1.0, -1/1 or true/false for the",
        ),
        (
            lambda text: text.replace("000002.jpg 1", "000002.jpg yes"),
            "000002.jpg: Eyeglasses is 'yes'; use",
        ),
        (lambda _: "image,Male\na.jpg,\n", "a.jpg: Male is ''; use 0/1"),
        (lambda _: "image;Male\na.jpg;1,0\n", "a.jpg: Male is '1,0'; use 0/1, 0.0/1.0, -1/1, true"),
        (lambda _: "image,Male\na.jpg,1,0\n", "3 fields, not 2. Give each line one value"),
        (lambda text: text.replace("Eyeglasses", "Male"), "column 'Male' is listed twice. Remove"),
        (lambda text: text.replace("000002.jpg 1 ", "000002.jpg "), "3 fields, not 4"),
        (lambda text: text.replace("000002", "000001"), "000001.jpg is listed twice. Remove one"),
        (lambda text: text.replace("000002", "../000002"), "not a plain file name"),
    ],
)
def test_a_spoilt_label_file_is_refused(tmp_path, spoil, words):
    """Cut, misspelt, out of range, doubled, or an attempt to leave the folder."""
    path = tmp_path / "list_attr_celeba.txt"
    write_labels(path, ROWS)
    path.write_text(spoil(path.read_text()))
    with pytest.raises(InputError) as refused:
        label_lists.read_attributes(path)
    assert words in str(refused.value)


def test_a_directory_without_a_data_set_is_refused_by_name(celeba, tmp_path):
    """No directory, no images, no labels, too few images, one class only."""
    with pytest.raises(InputError, match="no such directory"):
        dataset.load(tmp_path / "nowhere", "all", 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no images found"):
        dataset.load(tmp_path / "empty", "all", 1)
    root = celeba(12)
    with pytest.raises(InputError, match="lists 12 images, 13 are needed"):
        dataset.load(root, 13, 1)
    rows = {f"{i:06}.jpg": (1, 1, 1) for i in range(1, 13)}
    write_labels(root / "list_attr_celeba.txt", rows)
    with pytest.raises(InputError, match="all 12 chosen images are male"):
        dataset.load(root, "all", 1)
    (root / "list_attr_celeba.txt").unlink()
    with pytest.raises(InputError, match="no label file"):
        dataset.load(root, "all", 1)
