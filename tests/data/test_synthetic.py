from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageStat
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gfr.data.synthetic import generate

pytestmark = pytest.mark.slow

SEED = 20
NUM_FACES = 1500
NUM_TRAINING = 900


@dataclass(frozen=True)
class Faces:
    """What `write` left in a directory, read back."""

    directory: Path
    attributes: list[str]
    has: dict[str, NDArray[np.bool_]]  # (N,) each
    colour: NDArray[np.float32]  # (N, 6): mean and spread of red, green and blue
    edges: NDArray[np.float32]  # (N, 4): share of pixels with a gradient above 4, 8, 16, 32


def edge_shares(grey: NDArray[np.float32]) -> list[float]:
    """(H, W), 0..255 -> the share of pixels whose gradient exceeds each threshold."""
    steepness = np.hypot(*np.gradient(grey))
    return [float((steepness > least).mean()) for least in (4, 8, 16, 32)]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Faces:
    """1,500 faces, written once."""
    directory = tmp_path_factory.mktemp("faces")
    generate.write(directory, NUM_FACES, SEED)
    _, header, *rows = (directory / "list_attr_celeba.txt").read_text().splitlines()
    colour, edges = [], []
    for row in rows:
        with Image.open(directory / "images" / row.split()[0]) as image:
            channels = ImageStat.Stat(image)
            edges.append(edge_shares(np.asarray(image.convert("L"), dtype=np.float32)))
        colour.append([*channels.mean, *channels.stddev])
    values = np.array([row.split()[1:] for row in rows]) == "1"
    return Faces(
        directory=directory,
        attributes=header.split(),
        has=dict(zip(header.split(), values.T, strict=True)),
        colour=np.array(colour, dtype=np.float32),
        edges=np.array(edges, dtype=np.float32),
    )


def best_accuracy(features: NDArray[np.float32], is_male: NDArray[np.bool_]) -> float:
    """The better of a linear and a forest classifier, on faces neither was fitted on."""
    linear = make_pipeline(StandardScaler(), LogisticRegression())
    forest = RandomForestClassifier(100, min_samples_leaf=5, random_state=0)
    training, held_out = slice(NUM_TRAINING), slice(NUM_TRAINING, None)
    return max(
        model.fit(features[training], is_male[training]).score(
            features[held_out], is_male[held_out]
        )
        for model in (linear, forest)
    )


def test_a_face_depends_on_seed_and_index_alone(faces: Faces, tmp_path: Path) -> None:
    """Three faces written alone are, byte for byte, the first three of 1,500."""
    generate.write(tmp_path, 3, SEED)
    for name in ("000001.jpg", "000002.jpg", "000003.jpg"):
        expected = (faces.directory / "images" / name).read_bytes()
        assert expected == (tmp_path / "images" / name).read_bytes()


def test_another_seed_draws_other_faces() -> None:
    """Neighbouring seeds and indices share no picture."""
    pictures = [generate.draw(seed, index)[0].tobytes() for seed in (1, 2) for index in (1, 2)]
    assert 4 == len(set(pictures))


def test_no_two_images_are_identical(faces: Faces) -> None:
    """Every face has its own bytes."""
    images = (faces.directory / "images").iterdir()
    assert NUM_FACES == len({image.read_bytes() for image in images})


def test_layout_is_celebas(faces: Faces) -> None:
    """A count, the attribute names, then a padded name with 1 or -1 for each attribute."""
    count, header, first, *_ = (faces.directory / "list_attr_celeba.txt").read_text().splitlines()
    assert str(NUM_FACES) == count
    assert sorted(header.split()) == header.split()
    assert {"1", "-1"} == set(first.split()[1:])
    assert "000001.jpg" + "".join(f"{int(v):3d}" for v in first.split()[1:]) == first


def test_images_are_the_listed_ones_and_of_celebas_size(faces: Faces) -> None:
    """Each listed image is there, none more, as RGB JPEG of 178 x 218."""
    rows = (faces.directory / "list_attr_celeba.txt").read_text().splitlines()[2:]
    listed = [row.split()[0] for row in rows]
    assert listed == sorted(image.name for image in (faces.directory / "images").iterdir())
    with Image.open(faces.directory / "images" / listed[-1]) as image:
        assert ("JPEG", "RGB", (178, 218)) == (image.format, image.mode, image.size)


def test_labels_are_the_drawn_traits_but_for_the_noise(faces: Faces) -> None:
    """Every attribute is the drawn one; Male is flipped exactly where the noise says so."""
    for index in range(1, 101):
        _, drawn = generate.draw(SEED, index)
        expected = drawn | {"Male": drawn["Male"] != generate.is_label_flipped(SEED, index)}
        assert expected == {name: bool(faces.has[name][index - 1]) for name in faces.attributes}


def test_label_noise_is_near_its_share() -> None:
    """2 % of 20,000 labels are flipped, within four standard errors (0.4 points)."""
    flipped = [generate.is_label_flipped(SEED, index) for index in range(1, 20_001)]
    assert pytest.approx(generate.LABEL_NOISE_SHARE, abs=0.004) == np.mean(flipped)


def test_male_share_is_near_celebas(faces: Faces) -> None:
    """41.7 % of faces are male in CelebA; four standard errors at 1,500 are 5 points."""
    assert pytest.approx(0.417, abs=0.05) == faces.has["Male"].mean()


def test_every_attribute_occurs_in_both_sexes_and_none_decides(faces: Faces) -> None:
    """Each attribute is seen on and off among men and among women; none alone gives 82 %."""
    is_male = faces.has["Male"]
    for name in set(faces.attributes) - {"Male"}:
        for sex in (is_male, ~is_male):
            assert {False, True} == set(faces.has[name][sex].tolist()), name
        agreement = float((faces.has[name] == is_male).mean())
        assert max(agreement, 1 - agreement) <= 0.82, name


def test_colour_tells_little_about_the_sex(faces: Faces) -> None:
    """Mean and spread of the three channels give at most 65 % on unseen faces."""
    assert best_accuracy(faces.colour, faces.has["Male"]) <= 0.65


def test_edges_tell_little_about_the_sex(faces: Faces) -> None:
    """The share of edge pixels at four thresholds gives at most 65 % on unseen faces."""
    assert best_accuracy(faces.edges, faces.has["Male"]) <= 0.65
