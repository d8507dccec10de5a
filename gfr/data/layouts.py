"""The kinds of data set that gfr reads, as one table. A new layout is one entry."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from gfr.data import celeba, csv_labels
from gfr.data.celeba import Labels
from gfr.data.synthetic.generate import LABEL_NOISE_SHARE


@dataclass(frozen=True)
class DataSource:
    """One kind of data set: how it is recognized and read, and what is said about it."""

    name: str  # recorded as data.source
    title: str
    matches: Callable[[Path], bool]
    read: Callable[[Path], Labels]  # locates the files, but does not open an image
    # In reports.
    label_note: str
    attribute_note: str
    # In the card of a model that was trained on it.
    limits: tuple[str, ...]
    licence: str
    alignment: str
    labelled_by: str
    tag: str  # on the Hugging Face Hub
    dataset_type: str = ""  # empty: the data set's id on the Hub, as in sources.toml
    licence_name: str = ""  # empty: none is stated
    note: str = ""  # follows the title in reports
    warning: str = ""  # stands beside every answer of a model trained on it
    has_own_framing: bool = False  # images need not be framed as CelebA's are


_ALIGNED = "Faces must be aligned like CelebA's (eyes and mouth at fixed places, 178 x 218 px)."
_SYNTHETIC = DataSource(
    name="synthetic",
    title="synthetic faces",
    matches=lambda _: False,  # drawn on request, then read as CelebA is
    read=celeba.read,
    label_note=f"Labels say what was drawn, but for {LABEL_NOISE_SHARE:.0%} that are flipped",
    attribute_note="An attribute is what was drawn",
    limits=(
        "It was trained and tested on faces drawn by gfr; no real face was seen. Its answers "
        "for photographs are meaningless.",
    ),
    licence="Synthetic faces, drawn by gfr: no licence of a data set applies.",
    alignment=_ALIGNED,
    labelled_by="CelebA's annotators",
    tag="synthetic-data",
    dataset_type="synthetic-faces",
    note=f", {LABEL_NOISE_SHARE:.0%} of labels flipped",
    warning="trained on synthetic faces",
)
_OWN_IMAGES = DataSource(
    name="csv",
    title="own images",
    matches=csv_labels.matches,
    read=csv_labels.read,
    label_note="Labels are those of the label file, and some may be wrong",
    attribute_note="An attribute is what the label file says of a picture",
    limits=(
        "The label is the binary `is_male` of its owner's data set. It says nothing about "
        "how a person identifies, and has no third answer.",
        "gfr does not know who is shown there, nor how accurate the labels are: for other "
        "people the error rate is unknown.",
    ),
    licence="Own images: what may be done with them, and with a model trained on them, is for "
    "their owner to say.",
    # The web page aligns faces so; other alignment needs other images, but no other page.
    alignment="Faces must be framed like the training images; the page aligns them like CelebA's.",
    labelled_by="the owner of its training images",
    tag="own-images",
    dataset_type="own-images",
    has_own_framing=True,
)
_CELEBA = DataSource(
    name="celeba",
    title="CelebA",
    matches=lambda _: True,  # it is the last one: its errors name all layouts
    read=celeba.read,
    label_note="Labels are annotators' impressions of a picture, and some are wrong",
    attribute_note="An attribute is an annotator's impression of a picture",
    limits=(
        "The label is CelebA's binary `Male`: what annotators called a photograph of a "
        "celebrity. It says nothing about how a person identifies, and has no third answer.",
        "CelebA shows public figures, mostly young, mostly light-skinned, posed and made up. "
        "For other people the error rate is unknown and probably higher; it differs "
        "between groups.",
        "About 0.5% of CelebA's labels contradict the majority of the same person's images: "
        "differences in accuracy below that mean nothing.",
    ),
    licence="CelebA: for non-commercial research only (Liu et al., ICCV 2015); its images must "
    "not be redistributed. Whether a model trained on it may be used commercially is for its "
    "owner to find out.",
    alignment=_ALIGNED,
    labelled_by="CelebA's annotators",
    tag="celeba",
    licence_name="celeba-non-commercial-research",
)
SOURCES = {source.name: source for source in (_SYNTHETIC, _OWN_IMAGES, _CELEBA)}


def source_of(path: Path) -> DataSource:
    """Return the first source of the table that matches a directory or file."""
    return next(source for source in SOURCES.values() if source.matches(path))


# The name of a source, as records hold it.
SourceName = Annotated[str, Field(pattern=f"^({'|'.join(SOURCES)})$")]
