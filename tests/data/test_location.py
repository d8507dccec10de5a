"""Which folder of images and which lists are read where there are several."""

import shutil

import pytest
from conftest import write_celeba, write_labels

from gfr.data import celeba, dataset, label_lists
from gfr.errors import InputError


def older(path, num=12):
    """A label file that says the opposite of `write_celeba`'s."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_labels(path, {f"{i:06}.jpg": (1, -1 if i % 2 else 1, -1) for i in range(1, num + 1)})


def as_csv(path):
    """Kaggle's form beside the official one."""
    _, header, *lines = path.read_text().splitlines()
    rows = ["image_id," + header.replace(" ", ","), *(line.replace(" ", ",") for line in lines)]
    path.with_suffix(".csv").write_text("\n".join(rows) + "\n")


def test_the_list_at_the_top_is_read_and_not_an_older_one_below(tmp_path):
    """The place of a file comes before its name: a CSV at the top, a .txt in backup/old."""
    root = write_celeba(tmp_path / "data", 12)
    as_csv(root / "list_attr_celeba.txt")
    (root / "list_attr_celeba.txt").unlink()
    older(root / "backup" / "old" / "list_attr_celeba.txt")
    older(root / "Img" / "list_attribute.txt")
    (root / "backup" / "old" / "identity_CelebA.txt").write_text("000001.jpg 7\n")
    (root / "identity_CelebA.csv").write_text("image_id,identity\n000001.jpg,8\n")
    found = celeba.read(root)
    assert root / "list_attr_celeba.csv" == found.label_file == found.files["labels"]
    assert root / "identity_CelebA.csv" == found.files["identity"]
    assert 8 == found.table["identity"]["000001.jpg"]
    assert [True, False] == found.table["Male"].tolist()[:2]


def test_lists_that_differ_are_rejected_with_their_paths(tmp_path):
    """In one folder, or one nearer to the images and one nearer to the top; equal ones serve."""
    root = write_celeba(tmp_path / "data", 12)
    as_csv(root / "list_attr_celeba.txt")
    assert 12 == len(celeba.read(root).table)
    older(root / "list_attr_celeba.txt")
    with pytest.raises(InputError, match=r"_celeba\.txt and list_attr_celeba\.csv differ\. Remove"):
        celeba.read(root)
    (root / "list_attr_celeba.csv").rename(root / "images" / "list_attr_celeba.csv")
    with pytest.raises(
        InputError, match=r"images/list_attr_celeba\.csv and list_attr_celeba\.txt differ"
    ):
        celeba.read(root)


def test_two_data_sets_below_one_directory_are_not_mixed(tmp_path):
    """Beside each other they are rejected with their paths; one below the other is not read."""
    for name, num in (("one", 12), ("two", 43)):
        write_celeba(tmp_path / name, num)
    older(tmp_path / "one" / "list_attr_celeba.txt")
    (tmp_path / "two" / "list_attr_celeba.txt").rename(tmp_path / "two" / "list_attribute.txt")
    names = r"one/images with one/list_attr_celeba.txt and two/images with two/list_attribute.txt"
    with pytest.raises(InputError, match=f"has more than one data set: {names}"):
        celeba.read(tmp_path)
    shutil.move(tmp_path / "two", tmp_path / "one" / "backup")
    (tmp_path / "one" / "backup" / "identity_CelebA.txt").write_text("000001.jpg 7\n")
    found = celeba.read(tmp_path)
    assert {"labels": tmp_path / "one" / "list_attr_celeba.txt"} == found.files
    assert tmp_path / "one" / "images" == found.image_dir
    assert [False, True] == found.table["Male"].tolist()[:2]


def test_two_full_folders_of_one_list_are_rejected(tmp_path):
    """Which of them is meant is not known; a link to the other is the same folder."""
    root = write_celeba(tmp_path / "data", 12)
    (root / "img_align_celeba").symlink_to("images")
    assert 12 == len(celeba.read(root).table)
    (root / "img_align_celeba").unlink()
    shutil.copytree(root / "images", root / "img_align_celeba")
    with pytest.raises(
        InputError, match=r"has more than one data set: images with list_attr.* and"
    ):
        celeba.read(root)


def test_the_folder_with_the_listed_images_is_read(tmp_path):
    """Stray pictures outside, another Img/, and what macOS and editors leave in archives."""
    inner = "img_align_celeba/img_align_celeba"
    root = write_celeba(tmp_path / "data", 12, inner)
    for stray in ("img_align_celeba/cover.jpg", "Img/images/000001.jpg", f"{inner}/._000001.jpg"):
        (root / stray).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / inner / "000001.jpg", root / stray)
    shutil.copytree(root / inner, root / "__MACOSX" / "images")
    shutil.copytree(root / inner, root / ".ipynb_checkpoints" / "images")
    (root / "._list_attr_celeba.txt").write_bytes(b"\0\5\x16\7")
    older(root / "__MACOSX" / "list_attr_celeba.txt")
    listing = dataset.load(root, "all", 1)
    assert root / inner == listing.faces.image_dir
    assert 0 == listing.num_unlisted
    assert root / "list_attr_celeba.txt" == listing.files["labels"]


def test_an_image_in_png_counts_as_listed(tmp_path):
    """A folder of PNG where the list says .jpg is the right one, not one with a stray JPEG."""
    root = write_celeba(tmp_path / "data", 12, "img_align_celeba")
    (root / "images").mkdir()
    shutil.copy(root / "img_align_celeba" / "000001.jpg", root / "images")
    for path in (root / "img_align_celeba").iterdir():
        path.rename(path.with_suffix(".png"))
    faces = dataset.load(root, "all", 1).faces
    assert ("000001.jpg", root / "img_align_celeba" / "000001.png") == (
        faces.names[0],
        faces.paths()[0],
    )


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        (" ", ",", "list_attr_celeba.txt: separated by commas"),
        (" ", ";", "separated by semicolons"),
        (" ", "\t", "list_attr_celeba.txt: separated by tabs"),
        (" -1", " 0", "0 or False means no"),
        (" -1", " False", "mixed"),
        (" -1", " 0.0", "0 or False means no"),
        ("", "", "read as UTF-16"),
    ],
    ids=["commas", "semicolons", "tabs", "0/1", "False", "0.0", "UTF-16"],
)
def test_an_attribute_list_in_another_form(tmp_path, old, new, note):
    """The same labels, and a note; 1 and False in one column are rejected."""
    root = write_celeba(tmp_path / "data", 12)
    path = root / "list_attr_celeba.txt"
    text = path.read_text().replace(old, new) if old else path.read_text()
    path.write_text(text, encoding="utf-8" if old else "utf-16")
    if note == "mixed":
        with pytest.raises(
            InputError, match=r"000001.jpg: Eyeglasses mixes \['1', 'false'\]; use 0/1"
        ):
            celeba.read(root)
        path.write_text(text.replace(" 1", " True"))
        note = "0 or False means no"
    found = celeba.read(root)
    assert [True, False, True] == found.table["Male"].tolist()[:3]
    assert note in "; ".join(found.notes)


def test_an_attribute_list_with_words_for_the_label(tmp_path):
    """Male/Female and quotes, as scripts write them; the other columns stay numbers."""
    root = write_celeba(tmp_path / "data", 2)
    path = root / "list_attr_celeba.txt"
    path.write_text('"image","Smiling","Male"\n"000001.jpg","1","Male"\n"000002.jpg",-1,"Female"\n')
    found = celeba.read(root)
    assert [[True, True], [False, False]] == found.table.to_numpy().tolist()
    notes = [
        "separated by commas",
        "values are in quotes",
        "Male has the values Female and Male; Male means male",
    ]
    assert tuple(f"list_attr_celeba.txt: {note}" for note in notes) == found.notes


def test_each_column_of_an_attribute_list_has_a_form_of_its_own(tmp_path):
    """As in a labels.csv: Male -1/1 beside 0/1, and 0.0 beside 1, which mean the same."""
    path = tmp_path / "list_attr_celeba.csv"
    path.write_text("image_id,Male,Smiling\na.jpg,-1,0.0\nb.jpg,1,1\n")
    table, notes = label_lists.read_attributes(path)
    assert [[False, False], [True, True]] == table.to_numpy().tolist()
    assert ["list_attr_celeba.csv: 0 or False means no"] == notes


def test_names_with_spaces_are_read_between_tabs(tmp_path):
    """Where spaces separate, the message says how to write such a list."""
    path = tmp_path / "list_attr_celeba.txt"
    path.write_text("image\tMale\nanna 1.jpg\t-1\nben.jpg\t1\n")
    table, notes = label_lists.read_attributes(path)
    assert {"anna 1.jpg": False, "ben.jpg": True} == table["Male"].to_dict()
    assert ["list_attr_celeba.txt: separated by tabs"] == notes
    path.write_text("Male\nanna 1.jpg -1\n")
    with pytest.raises(InputError, match=r"3 fields, not 2\. Separate columns by tabs or "):
        label_lists.read_attributes(path)


def test_an_identity_list_in_another_form_is_named(tmp_path):
    """UTF-16 and semicolons, beside the notes on the attribute list."""
    root = write_celeba(tmp_path / "data", 2)
    rows = '"000001.jpg";"7"\n"000002.jpg";"8"\n'
    (root / "identity_CelebA.txt").write_text(rows, encoding="utf-16")
    labels = celeba.read(root)
    assert [7, 8] == labels.table["identity"].tolist()
    notes = ["read as UTF-16", "separated by semicolons", "values are in quotes"]
    assert tuple(f"identity_CelebA.txt: {note}" for note in notes) == labels.notes
    (root / "identity_CelebA.txt").write_text("000001.jpg 7\n000002.jpg x\n")
    with pytest.raises(InputError, match=r"000002.jpg: 'x' is not a whole number of at most 18"):
        celeba.read(root)


def test_labels_that_contradict_names_as_utkface_has_them(tmp_path):
    """[age]_[gender]_[race]_[time]: 0 is male there; other names say nothing."""
    names = {"25_0_2_20170116174525125.jpg.chip.jpg": 0, "61_1_20170109142408075.jpg": 1}
    others = {"30_1_0_20170116174525125.jpg": 0, "25_0_2.jpg": 0, "a_1_20170109142408075.jpg": 1}
    rows = (f"{name},{is_male}\n" for name, is_male in (names | others).items())
    (tmp_path / "labels.csv").write_text("image,is_male\n" + "".join(rows))
    (note,) = dataset.load(tmp_path, "all", 1).notes
    assert note.startswith("2 of 3 images with a name like UTKFace's [age]_[gender]_...")
    (tmp_path / "labels.csv").write_text("image,is_male\n25_0_2_20170116174525125.jpg,1\na.jpg,0\n")
    assert () == dataset.load(tmp_path, "all", 1).notes


@pytest.mark.parametrize(
    ("images", "labels", "foreign"),
    [
        ("celeba/Img/img_align_celeba", "celeba/Anno/list_attr_celeba.txt", "own/images"),
        ("celeba/img_align_celeba/img_align_celeba", "celeba/list_attr_celeba.txt", "utk/images"),
        ("a/images", "a/list_attr_celeba.txt", "images"),
    ],
)
def test_images_of_a_data_set_without_a_list_get_none_of_another(tmp_path, images, labels, foreign):
    """The folder nearest to the list is read, although the other one has the same names."""
    root = write_celeba(tmp_path / "data", 12)
    for name in (images, foreign):
        shutil.copytree(root / "images", tmp_path / "top" / name)
    (tmp_path / "top" / labels).parent.mkdir(exist_ok=True)
    shutil.move(root / "list_attr_celeba.txt", tmp_path / "top" / labels)
    assert tmp_path / "top" / images == celeba.read(tmp_path / "top").image_dir
