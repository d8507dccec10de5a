"""A CSV with the answers of another classifier, as programs and hands write it."""

import re

import pytest

from gfr.data import csv_table, predictions
from gfr.errors import InputError

CSV = "image,p_male\na/1.jpg,0.25\nb.jpg,1\nc.jpg,\nd.jpg,1e-3\n"
P_MALE = {"a/1.jpg": 0.25, "b.jpg": 1.0, "d.jpg": 0.001}


def write(folder, text):
    """A p.csv of these bytes or this text."""
    (folder / "p.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / "p.csv"


@pytest.mark.parametrize(
    "text",
    [
        CSV,
        CSV.replace("\n", "\r\n"),
        "\ufeff" + CSV,
        CSV.replace(",", " , ").replace("\n", "\n\n"),
        CSV.replace("image,p_male", "Image,P_Male"),
        CSV.replace(",", ";"),
        CSV.replace(",", "\t").encode("utf-16"),
        re.sub(r"([^,\n]+)", r'"\1"', CSV),
        re.sub(r"(.*),(.*)\n", r"\2,\1\n", CSV),
        "image,p_male\nd.jpg,.001\nb.jpg,+1.\na/1.jpg,0.25\n",
        re.sub(r"(.*),(.*)\n", r"\1,test,/x/\1,\2\n", CSV).replace(
            "image,test,/x/image", "image,split,path"
        ),
    ],
    ids=[
        *("plain", "CRLF", "BOM", "spaces and blank lines", "case", "semicolons", "UTF-16"),
        *("quoted", "other order of columns", "other order of rows", "columns of gfr split"),
    ],
)
def test_every_way_of_writing_the_csv_means_the_same(tmp_path, text):
    """A missing row and an empty value are misses."""
    assert P_MALE == predictions.read_csv(write(tmp_path, text))


@pytest.mark.parametrize("column", ["male", "answer", "Male"])
@pytest.mark.parametrize(
    ("no", "yes"), [("0", "1"), ("F", "M"), ("f", "m"), ("Female", "Male"), ("false", "true")]
)
def test_answers_are_0_and_1(tmp_path, column, no, yes):
    """Not probabilities: a loss of them would mean nothing."""
    text = f"image,{column}\na.jpg,{yes}\nb.jpg,{no}\nc.jpg,\n"
    assert {"a.jpg": 1.0, "b.jpg": 0.0} == predictions.read_csv(write(tmp_path, text))


def test_answers_of_the_runs_images_are_matched_by_name(tmp_path):
    """An image of the run without an answer is a miss; one that is not of the run is counted."""
    found = predictions.of_images(write(tmp_path, CSV), ["a/1.jpg", "c.jpg", "e.jpg"])
    assert ({"a/1.jpg": 0.25}, 2) == (found.p_male, found.num_other)
    assert ("p.csv: 2 images not of this run, the first is b.jpg: ignored",) == found.notes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CSV, "(its first image is 'a/1.jpg'). Name the images as `gfr split` writes them, e.g. 1"),
        ("image,p_male\n1.jpg,\n", "every value is empty. Write one for each image"),
        (CSV.replace("a/1.jpg", "1.JPG"), "(its first image is '1.JPG')"),
    ],
)
def test_answers_for_no_image_of_the_run_are_refused(tmp_path, text, words):
    """With a name of either side, which may differ by its folder or its suffix."""
    path = write(tmp_path, text)
    with pytest.raises(InputError) as refused:
        predictions.of_images(path, ["1.jpg", "2.jpg"])
    assert words in str(refused.value) and str(refused.value).startswith(f"{path}: ")


SPOILT = [
    ("", ": no rows. Write image,p_male, then one line for each image"),
    ("image,p_male\n", ": no rows"),
    ("a.jpg,0.5\nb.jpg,0.5\n", ": no column image. The first line is image,p_male"),
    ("image\na.jpg\n", ": no column p_male. The first line is image,p_male"),
    ("image,score\na.jpg,1\n", ": unknown column 'score'; known: image, p_male, male, answer"),
    ("image,p_mal\na.jpg,1\n", ": unknown column 'p_mal'; did you mean p_male? known: "),
    ("image,is_male\na.jpg,1\n", ": unknown column 'is_male'; did you mean "),
    ("image,p_female\na.jpg,1\n", ": column 'p_female'. Give p_male, the probability of male"),
    ("image,p_male,answer\na.jpg,1,1\n", ": columns p_male and answer. Keep only one of them"),
    ("image,p_male,P_male\na.jpg,1,1\n", ": column 'p_male' is listed twice. Remove one"),
    ("image,p_male\na.jpg,1\nb.jpg,1\na.jpg,1\n", ", line 4: 'a.jpg' is listed twice, first in l"),
    ("image,p_male\n,1\n", ", line 2: no image. Name it or remove the line"),
    ("image,p_male\na.jpg,1.01\n", ", line 2: p_male is '1.01'; use a number from 0 to 1, or le"),
    ("image,p_male\na.jpg,-0.1\n", ", line 2: p_male is '-0.1'"),
    ("image,p_male\na.jpg,1\nb.jpg,nan\n", ", line 3: p_male is 'nan'"),
    ("image,p_male\na.jpg,inf\n", ", line 2: p_male is 'inf'"),
    ("image,p_male\na.jpg,0_1\n", ", line 2: p_male is '0_1'"),
    ("image,p_male\na.jpg,\u0661\n", ", line 2: p_male is '\u0661'"),
    ("image,p_male\na.jpg,97%\n", ", line 2: p_male is '97%'"),
    ("image;p_male\na.jpg;0,5\n", ", line 2: p_male is '0,5'"),
    ("image,p_male\na.jpg,male\n", ", line 2: p_male is 'male'"),
    ("image,answer\na.jpg,0.5\n", ", line 2: answer is '0.5'; use 0/1, 0.0/1.0, -1/1, true/fals"),
    ("image,male\na.jpg,M\nb.jpg,0\n", ", line 2: male mixes ['0', 'm']"),
    ("image,p_male\na.jpg,0,5\n", ", line 2: 3 fields, but the first line has 2"),
    ('image,p_male\n"a.jpg,1\n', ": not a CSV in UTF-8"),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF", ": not a CSV in UTF-8"),
    (b"\x00" * 100, ": not a CSV in UTF-8"),
]


@pytest.mark.parametrize(("text", "words"), SPOILT, ids=[f"{row[0]!r:.40}" for row in SPOILT])
def test_a_spoilt_csv_is_refused(tmp_path, text, words):
    """One line that names the file, the line in it if there is one, and the remedy."""
    path = write(tmp_path, text)
    with pytest.raises(InputError) as refused:
        predictions.read_csv(path)
    assert str(refused.value).startswith(f"{path}{words}")
    assert 1 == len(str(refused.value).splitlines())


def test_a_csv_that_cannot_be_read_is_refused(tmp_path, monkeypatch):
    """Missing, a directory, too large."""
    with pytest.raises(InputError, match=r"p\.csv: cannot be read \(No such file"):
        predictions.read_csv(tmp_path / "p.csv")
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory"):
        predictions.read_csv(tmp_path)
    monkeypatch.setattr(csv_table, "MAX_BYTES", 10)
    with pytest.raises(InputError, match=r"larger than 10 bytes\. Is it a CSV of image,p_male\?"):
        predictions.read_csv(write(tmp_path, CSV))
