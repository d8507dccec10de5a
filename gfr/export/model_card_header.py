"""The YAML header of a model card: metadata for the Hugging Face Hub.

The package huggingface_hub would write the same header, but is an extra of gfr;
tests/export/test_model_card.py reads the header back with it. The header names no library, since
the Hub's list has no entry for TensorFlow.js.
"""

import functools
import math
import tomllib
from pathlib import Path
from typing import Any

import yaml

from gfr.data.layouts import SOURCES
from gfr.report import markdown

_TEXTS = Path(__file__).parent / "model_card.toml"

_TASK = "image-classification"

_TAGS = ("face", "gender-recognition", "tensorflowjs")


@functools.cache
def texts() -> dict[str, Any]:
    """Return the card's intended use, and its texts by source of the backbone's weights."""
    return tomllib.loads(_TEXTS.read_text("utf-8"))


def header(card: dict[str, Any]) -> str:
    """Return the card's metadata as a YAML block between two lines of dashes."""
    training = card["training"]
    source = SOURCES[training["data"]]
    licence = source.licence_name
    weights = texts()["weights"][training["weights"]]
    hub_dataset, test = training["hub_dataset"], card["metrics"]["test"]
    warning = f" (model with {weights['warning']})" if weights["warning"] else ""
    dataset = {
        "type": hub_dataset or source.dataset_type,
        "name": source.title + warning,
        "split": "test",
        "args": {"num_images": test["num_images"], "data_sha256": training["data_sha256"]},
    }
    results = {"task": {"type": _TASK}, "dataset": dataset, "metrics": _metrics(card)}
    document = {
        # gfr's own licence covers its code, not a model trained on these images.
        **({"license": "other", "license_name": licence} if licence else {"license": "unknown"}),
        "pipeline_tag": _TASK,
        "tags": [*_TAGS, source.tag, *weights["tags"]],
        **({"datasets": [hub_dataset]} if hub_dataset else {}),
        "metrics": ["accuracy"],
        # Escaped: some readers of Markdown show the header as text.
        "model-index": [{"name": markdown.text(card["title"]), "results": [results]}],
    }
    # One line per value: a folded line could start with Markdown syntax.
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=math.inf)
    return f"---\n{text}---\n"


def _metrics(card: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every result on the test images, unrounded."""
    test = card["metrics"]["test"]
    exported = next(row for row in card["precisions"] if row["is_exported"])
    is_better = card["better_than_majority"]
    weak = "" if is_better else "; not shown to be better than the majority class"
    files = f"the TensorFlow.js files in {exported['precision']}"
    majority = "always answering the majority class"
    between = "p_male between {:g} and {:g}".format(*card["output"]["uncertain"])
    images = f"n = {test['num_images']}"
    rows = [
        ("accuracy", test["accuracy"], f"Test accuracy ({_interval(test)}{weak})"),
        ("loss", test["loss"], f"Test loss, binary cross-entropy ({images})"),
        ("accuracy", exported["accuracy"], f"Test accuracy of {files} ({_interval(exported)})"),
        (
            "majority_class_accuracy",
            test["majority_share"],
            f"Test accuracy of {majority} ({images})",
        ),
        (
            "uncertain_share",
            card["uncertain_share"],
            f"Share of test images with {between} ({images})",
        ),
    ]
    return [
        {"type": kind, "value": value, "name": name, "verified": False}
        for kind, value, name in rows
    ]


def _interval(row: dict[str, Any]) -> str:
    low, high = row["accuracy_interval"]
    return f"n = {row['num_images']}, Wilson's 95 % interval {low:.3f} to {high:.3f}"
