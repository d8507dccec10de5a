"""A CSV of labels as programs and hands write it."""

import re

import pytest
from test_custom_model import CSV

from gfr.data import csv_labels, csv_table, dataset, splits
from gfr.errors import InputError


def labels(folder, text):
    """A labels.csv of these bytes or this text."""
    content = text if isinstance(text, bytes) else text.encode()
    (folder / "labels.csv").write_bytes(content)
    return folder


@pytest.mark.parametrize(
    "text",
    [
        CSV,
        CSV.replace("\n", "\r\n"),
        "\ufeff" + CSV,
        CSV.replace("\n", "\n\n , ,,\n"),
        re.sub(r"([^,\n]+)", r'"\1"', CSV),
        CSV.replace(",0,", ", FALSE ,").replace(",1,", ",true,"),
        CSV.replace(",0\n", ",-1\n"),
    ],
    ids=["plain", "CRLF", "BOM", "blank lines", "quoted", "words", "-1/1"],
)
def test_every_way_of_writing_the_csv_means_the_same(tmp_path, text):
    """The document's own, as different programs write it."""
    found = csv_labels.read(labels(tmp_path, text))
    assert ["anna/1.jpg", "anna/2.jpg", "ben.png"] == list(found.table.index)
    assert [False, False, True] == found.table["Male"].tolist()
    assert [False, True, False] == found.table["glasses"].tolist()
    assert [0, 0, 1] == found.table["identity"].tolist()


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (CSV.replace(",", ";"), "labels.csv: separated by semicolons"),
        (CSV.replace(",", "\t"), "labels.csv: separated by tabs"),
        (CSV.replace(",", "\t").encode("utf-16"), "labels.csv: read as UTF-16"),
        (
            CSV.replace(",0,", ",Female,").replace(",1,", ",Male,"),
            "is_male has the values Female and Male; Male means male",
        ),
        (
            CSV.replace(",0,", ",f,").replace(",1,", ",m,"),
            "is_male has the values f and m; m means male",
        ),
        (CSV.replace(",0,", ",0.0,").replace(",1,", ",1.0,"), ""),
        (CSV.replace(",0,", ",0.0,"), ""),
        (CSV.replace("anna/", "anna\\"), r"2 image names are read as paths below its folder"),
        (CSV.replace("anna/", "{folder}/anna/"), "/anna/1.jpg as anna/1.jpg"),
        (CSV.replace("anna/", "./anna/"), "the first is ./anna/1.jpg as anna/1.jpg"),
    ],
    ids=[
        "semicolons",
        "tabs",
        "UTF-16",
        "words",
        "letters",
        "floats",
        "0.0 and 1",
        "backslash",
        "absolute",
        "./",
    ],
)
def test_an_unusual_form_is_read_and_named(tmp_path, text, note):
    """A form that can only mean one thing gives the same labels, and a note says what was read."""
    if isinstance(text, str):
        text = text.replace("{folder}", str(tmp_path))
    found = csv_labels.read(labels(tmp_path, text))
    assert ["anna/1.jpg", "anna/2.jpg", "ben.png"] == list(found.table.index)
    assert [False, False, True] == found.table["Male"].tolist()
    assert [False, True, False] == found.table["glasses"].tolist()
    assert note in "; ".join(found.notes)


def test_a_file_of_another_suffix_or_unicode_form_is_found(tmp_path):
    """`.JPG` or `.png` where `.jpg` is listed, decomposed accents; not where two files fit."""
    listed = {"a.jpg": "a.JPG", "b.jpg": "b.png", "\u00e9.jpg": "e\u0301.jpg", "d.webp": "d.webp"}
    for file in [*listed.values(), "c.jpeg", "c.png"]:
        (tmp_path / file).write_bytes(b"")
    names = [*listed, "c.jpg"]
    rows = (f"{name},{i % 2}\n" for i, name in enumerate(names))
    listing = dataset.load(labels(tmp_path, "image,is_male\n" + "".join(rows)), "all", 1)
    files = dict(zip(listing.faces.names, listing.faces.paths(), strict=True))
    assert {name: tmp_path / file for name, file in (listed | {"c.jpg": "c.jpg"}).items()} == files
    assert "3 images with another suffix or Unicode form" in listing.notes[0]
    assert 2 == listing.num_unlisted
    assert "file" not in listing.faces.attributes


SPOILT = [
    ("", "no rows"),
    ("image,is_male\n", "no rows"),
    ("image is_male\na.jpg 1\n", "no column image"),
    ("image,male\na.jpg,1\n", "no column is_male"),
    ("image,is_male\na.jpg,1\na.jpg,0\n", "line 3: 'a.jpg' is listed twice, first in line 2"),
    ("image,is_male\n../a.jpg,1\n", "'../a.jpg' is not a plain path below"),
    ("image,is_male\n/etc/a.jpg,1\n", "'/etc/a.jpg' is not a plain path"),
    ("image,is_male\nx/../../a.jpg,1\n", "is not a plain path"),
    ("image,is_male\nC:\\a.jpg,1\n", "is not a plain path"),
    ('image,is_male\n"a\nb.jpg",1\n', "is not a plain path"),
    ("image,is_male\n<b>.jpg,1\n", "is not a plain path"),
    ("image,is_male\n,1\n", "is not a plain path"),
    ("image,is_male\na.gif,1\n", "does not end in .jpg, .jpeg, .png"),
    ("image,is_male\na.jpg,2\n", "line 2: is_male is '2'; use 0/1, 0.0/1.0, -1/1, true/false, "),
    ("image,is_male\na.jpg,\n", "is_male is ''"),
    ("image,is_male\na.jpg,0\nb.jpg,-1\n", "is_male mixes ['-1', '0']"),
    ("image,is_male,age\na.jpg,0,37\n", "age is '37'"),
    ("image,is_male,split\na.jpg,0,1\n", "column 'split': a name that gfr reserves"),
    ("image,is_male,Male\na.jpg,0,1\n", "column 'Male'"),
    ("image,is_male,a|b\na.jpg,0,1\n", "column 'a|b'"),
    ("image,is_male,is_male\na.jpg,0,1\n", "'is_male' is listed twice"),
    ("image,is_male,identity\na.jpg,0,\n", "no identity. Give each image one"),
    ("image,is_male\na.jpg,0,1\n", "line 2: 3 fields, but the first line has 2"),
    ('image,is_male\n"a.jpg,0\n', "not a CSV in UTF-8"),
    ("image,is_male\na.jpg,0\n".encode("utf-16-le"), "not a CSV in UTF-8"),
    ("image,is_male\nD:\\a\\b.jpg,0\n", "'D:/a/b.jpg' is not a plain path below"),
    ("image,is_male\na.jpg,0\nb.jpg,m\n", "is_male mixes ['0', 'm']"),
    (
        "image,is_male,glasses\na.jpg,0,m\n",
        "'m'; use 0/1, 0.0/1.0, -1/1 or true/false for the whole column",
    ),
    ("image,is_male\na.jpg,0\n./a.jpg,1\n", "line 3: 'a.jpg' is listed twice"),
    (f"image,is_male\n{'a' * 200_000}.jpg,0\n", "not a CSV in UTF-8"),
]


@pytest.mark.parametrize(("text", "words"), SPOILT, ids=[row[1] for row in SPOILT])
def test_a_spoilt_csv_is_refused(tmp_path, text, words):
    """One line that names the file."""
    with pytest.raises(InputError) as refused:
        csv_labels.read(labels(tmp_path, text))
    assert words in str(refused.value) and "labels.csv" in str(refused.value)
    assert 1 == len(str(refused.value).splitlines())


def test_a_csv_without_serving_images_is_refused(tmp_path, monkeypatch):
    """Not there, too large, one class, two kinds of labels, split by persons it does not name."""
    with pytest.raises(InputError, match="cannot be read"):
        dataset.load(tmp_path / "other.csv", "all", 1)
    labels(tmp_path, "image,is_male\na.jpg,1\nb.jpg,1\n")
    with pytest.raises(InputError, match="all 2 chosen images are male"):
        dataset.load(tmp_path, "all", 1)
    (tmp_path / "list_attr_celeba.txt").write_text("")
    with pytest.raises(InputError, match=r"labels\.csv and list_attr_celeba\.txt\. Name the CSV"):
        dataset.load(tmp_path, "all", 1)
    (tmp_path / "labels.csv").write_text("image,is_male\na.jpg,1\nb.jpg,0\n")
    faces = dataset.load(tmp_path / "labels.csv", "all", 1).faces
    assert ("a.jpg", "b.jpg") == faces.names
    with pytest.raises(InputError, match=r"column identity in labels\.csv"):
        splits.by_rule("identity", faces, (0.2, 0.2), 1)
    monkeypatch.setattr(csv_table, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="larger than 10 bytes"):
        dataset.load(tmp_path / "labels.csv", "all", 1)
