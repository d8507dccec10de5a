"""The YAML header of a model card: metadata that the Hugging Face Hub reads.

Everything follows from the card's values. The package huggingface_hub is an extra of gfr and not
needed to write the header; tests/test_model_card.py reads it back with that package. The header
names no library: the Hub's list has none for TensorFlow.js. Reads no file.
"""

import math
from typing import Any

import yaml

from gfr.data.dataset import SOURCES
from gfr.report import markdown

_TASK = "image-classification"

_TAGS = ("face", "gender-recognition", "tensorflowjs")

_DATA_TAGS = {"celeba": "celeba", "csv": "own-images", "synthetic": "synthetic-data"}

_WEIGHTS_TAGS = {"imagenet": "imagenet", "random": "random-weights", "own": "own-weights"}

# Stands in the data set's name, which the Hub shows beside every result.
_WEIGHTS_WORDS = {
    "random": "RANDOM backbone weights",
    "own": "the owner's own backbone file",
    "directory": "backbone weights from a directory, taken for ImageNet's",
}

# Of data sets that are not on the Hub, whose ids all have an owner before a slash.
_DATASET_TYPES = {"csv": "own-images", "synthetic": "synthetic-faces"}

# gfr's own licence covers its code, not a model trained on these images.
_CELEBA_LICENCE = {"license": "other", "license_name": "celeba-non-commercial-research"}

_NO_LICENCE = {"license": "unknown"}  # none is stated


def header(card: dict[str, Any]) -> str:
    """The card's metadata as a YAML block between two lines of dashes."""
    training = card["training"]
    hub_dataset = training["hub_dataset"]
    document = {
        **(_CELEBA_LICENCE if training["data"] == "celeba" else _NO_LICENCE),
        "pipeline_tag": _TASK,
        "tags": _tags(training),
        **({"datasets": [hub_dataset]} if hub_dataset else {}),
        "metrics": ["accuracy"],
        "model-index": [
            {
                # As text of Markdown too: some readers of the file know no such header.
                "name": markdown.text(card["title"]),
                "results": [
                    {
                        "task": {"type": _TASK},
                        "dataset": _dataset(training, card["metrics"]["test"]["num_images"]),
                        "metrics": _metrics(card),
                    }
                ],
            }
        ],
    }
    # A line for each value: folded text could begin a line with a sign of Markdown.
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=math.inf)
    return f"---\n{text}---\n"


def _tags(training: dict[str, Any]) -> list[str]:
    weights = _WEIGHTS_TAGS.get(training["weights"])
    return [*_TAGS, _DATA_TAGS[training["data"]], *([weights] if weights else [])]


def _dataset(training: dict[str, Any], num_images: int) -> dict[str, Any]:
    source, weights = training["data"], _WEIGHTS_WORDS.get(training["weights"])
    return {
        "type": training["hub_dataset"] or _DATASET_TYPES[source],
        "name": SOURCES[source] + (f" (model with {weights})" if weights else ""),
        "split": "test",
        "args": {"num_images": num_images, "data_sha256": training["data_sha256"]},
    }


def _metrics(card: dict[str, Any]) -> list[dict[str, Any]]:
    """Every result on the test images, unrounded; the text of the card rounds them."""
    test = card["metrics"]["test"]
    exported = next(row for row in card["precisions"] if row["is_exported"])
    is_better = card["better_than_majority"]
    weak = "" if is_better else "; not shown to be better than the majority class"
    low, high = card["output"]["uncertain"]
    images = f"n = {test['num_images']}"
    return [
        _metric("accuracy", test["accuracy"], f"Test accuracy ({_interval(test)}{weak})"),
        _metric("loss", test["loss"], f"Test loss, binary cross-entropy ({images})"),
        _metric(
            "accuracy",
            exported["accuracy"],
            f"Test accuracy of the TensorFlow.js files in {exported['precision']} "
            f"({_interval(exported)})",
        ),
        _metric(
            "majority_class_accuracy",
            test["majority_share"],
            f"Test accuracy of always answering the majority class ({images})",
        ),
        _metric(
            "uncertain_share",
            card["uncertain_share"],
            f"Share of test images with p_male between {low:g} and {high:g} ({images})",
        ),
    ]


def _metric(kind: str, value: float, name: str) -> dict[str, Any]:
    return {"type": kind, "value": value, "name": name, "verified": False}


def _interval(row: dict[str, Any]) -> str:
    low, high = row["accuracy_interval"]
    return f"n = {row['num_images']}, Wilson's 95 % interval {low:.3f} to {high:.3f}"
