"""The model card: what a model is, was trained on, can and cannot do.

In: a Run, the trial, its ExportResult. Out: model_card.json, from which the page takes every value
that training fixed, and model_card.md, the same for people. Reads gfr/export/alignment.json and
benchmarks/sources.toml too. Never measures.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

from gfr.config.keras_applications import SCALINGS
from gfr.data.dataset import SOURCES
from gfr.data.download import catalog
from gfr.data.records import DataRecord, SplitRecord
from gfr.evaluation.metrics import THRESHOLD, constant_answer
from gfr.evaluation.statistics import wilson
from gfr.export.model_card_header import header
from gfr.report import markdown
from gfr.report.section import Table
from gfr.results import export_records
from gfr.results.export_records import ExportResult, WebModel
from gfr.results.records import Run, TrialResult
from gfr.storage import atomic, paths

SCHEMA = 1

UNCERTAIN = (0.4, 0.6)  # an answer between these is shown as none

_ALIGNMENT = Path(__file__).parent / "alignment.json"

INTENDED_USE = (
    "Comparing backbones, and showing on one's own device what such a model answers. Not for "
    "decisions about people, and not for telling anyone's gender."
)

_LIMITS_OF_CELEBA = (
    "The label is CelebA's binary `Male`: what annotators called a photograph of a celebrity. It "
    "says nothing of how a person identifies, and knows no third answer.",
    "CelebA shows public figures, mostly young, mostly light-skinned, posed and made up. On other "
    "people the error rate is unknown and probably higher; it differs between groups.",
    "About 0.5 % of CelebA's labels contradict the majority of the same person's images: no "
    "accuracy means more than that.",
)

_LIMITS_OF_OWN_DATA = (
    "The label is the binary `is_male` of its owner's own data set. It says nothing of how a "
    "person identifies, and knows no third answer.",
    "Who is shown there, and how well the labels are made, is not known to gfr: on other people "
    "the error rate is unknown.",
)

_LIMITS_OF_SYNTHETIC_DATA = (
    "It was trained and tested on faces drawn by gfr; no real face was seen. Its answers about "
    "photographs mean nothing.",
)

_LIMITS_OF_DATA = {
    "celeba": _LIMITS_OF_CELEBA,
    "csv": _LIMITS_OF_OWN_DATA,
    "synthetic": _LIMITS_OF_SYNTHETIC_DATA,
}

_LIMIT_OF_IMAGENET = (
    "The backbone saw ImageNet, not faces; hair, make-up and clothes carry much of the answer."
)

# By the source of the backbone's weights, where it is not ImageNet.
_LIMITS_OF_WEIGHTS = {
    "own": "The backbone is its owner's own model file: what it was trained on is not known to "
    "gfr, nor whether it has seen the test images.",
    "random": "The backbone's weights are random: it was never trained on images.",
}

_LIMIT_OF_ALIGNMENT = (
    "Faces must be aligned like CelebA's (eyes and mouth at fixed places, 178 x 218 px)."
)

LICENCE_OF_DATA = {
    "celeba": "CelebA: for non-commercial research only (Liu et al., ICCV 2015); its images may "
    "not be passed on. Whether a model trained on it may be used commercially is for its owner to "
    "ask.",
    "synthetic": "Synthetic faces, drawn by gfr: no licence of a data set applies.",
    "csv": "Own images: what may be done with them, and with a model trained on them, is for their "
    "owner to say.",
}


def write(folder: Path, run: Run, result: TrialResult, export: ExportResult) -> None:
    """Both files."""
    card = facts(run, result, export)
    atomic.write_json(folder / "model_card.json", card)
    atomic.write_text(folder / "model_card.md", render(card))


def facts(run: Run, result: TrialResult, export: ExportResult) -> dict[str, Any]:
    """Plain values; shares and probabilities 0..1, sizes (height, width) px, points (x, y) px."""
    trial, record = result.trial, run.record
    alignment = json.loads(_ALIGNMENT.read_text("utf-8"))
    return {
        "schema": SCHEMA,
        "title": trial.title,
        "trial": trial.id,
        "run_id": record.run_id,
        "created_utc": record.created_utc,
        "notes": run.notes_of(result),
        "model": _model_facts(export),
        "input": {
            "size": list(trial.feature_set.size),
            "scaling": SCALINGS[trial.backbone.scaling],
        },
        "output": {
            "positive": "male",
            "negative": "female",
            "threshold": THRESHOLD,
            "uncertain": list(UNCERTAIN),
        },
        "alignment": {key: alignment[key] for key in ("height", "width", "points")},
        "metrics": _metrics_facts(record.split, result),
        "better_than_majority": run.is_better_than_majority(result),
        "uncertain_share": _uncertain(result),
        "precisions": [_precision(row, export) for row in export.models],
        "keras_float32": _accuracy(export.keras_right, export.num_images),
        "training": _training_facts(record.data, result),
        "intended_use": INTENDED_USE,
        "limits": _limits(record.data.source, result.features.weights.source),
        "licence_of_data": LICENCE_OF_DATA[record.data.source],
        "versions": result.provenance.versions,
    }


def _model_facts(export: ExportResult) -> dict[str, Any]:
    return {
        "file": "tfjs/model.json",
        "precision": export.precision,
        "num_bytes": export.written.num_bytes,
        "num_parameters": export.num_parameters,
        "digest": export.digest,
        # How far from Keras a device may be that computes right with these weights.
        "tolerance": max(export_records.MAX_DIFFERENCE, export.written.max_difference),
    }


def _metrics_facts(split: SplitRecord, result: TrialResult) -> dict[str, Any]:
    """By split."""
    return {
        name: {
            "accuracy": found.accuracy,
            "accuracy_interval": list(found.interval),
            "loss": found.loss,
            "num_images": found.num_images,
            "majority_share": constant_answer(split.num_male, split.num_female, name)[0],
        }
        for name, found in result.metrics.items()
    }


def _training_facts(data: DataRecord, result: TrialResult) -> dict[str, Any]:
    trial, weights = result.trial, result.features.weights
    return {
        "backbone": trial.backbone.name,
        "weights": weights.source,
        "weights_sha256": weights.sha256,
        "features": result.features.precision,
        "epochs": trial.iteration.epochs,
        "batch_size": trial.batch_size,
        "seed": trial.seed,
        "data": data.source,
        "data_sha256": data.digest,
        "hub_dataset": _hub_dataset(data.source),
        "num_train_images": result.metrics["train"].num_images,
    }


def _hub_dataset(source: str) -> str | None:
    """The data set's id on the Hugging Face Hub; None if it is not there."""
    if source != "celeba":
        return None
    return catalog.load(paths.ROOT / "benchmarks" / "sources.toml").huggingface.repository


def _limits(data: str, weights: str) -> list[str]:
    return [
        *_LIMITS_OF_DATA[data],
        _LIMITS_OF_WEIGHTS.get(weights, _LIMIT_OF_IMAGENET),
        # The page aligns faces so; other alignment needs other images, but no other page.
        "Faces are to be framed as the images it was trained on were; the page aligns them like "
        "CelebA's."
        if data == "csv"
        else _LIMIT_OF_ALIGNMENT,
    ]


def _uncertain(result: TrialResult) -> float:
    """Share of the test images whose answer would be shown as none."""
    values = result.test_probabilities.values()
    return sum(UNCERTAIN[0] < p < UNCERTAIN[1] for p in values) / len(values)


def _accuracy(num_right: int, num_images: int) -> dict[str, Any]:
    return {
        "accuracy": num_right / num_images,
        "accuracy_interval": list(wilson(num_right, num_images)),
        "num_images": num_images,
    }


def _precision(row: WebModel, export: ExportResult) -> dict[str, Any]:
    return {
        "precision": row.precision,
        "num_bytes": row.num_bytes,
        **_accuracy(row.num_right, row.num_images),
        "max_difference": row.max_difference,
        "mean_difference": row.mean_difference,
        "p_value": row.p_value,
        "javascript": dataclasses.asdict(row.javascript),
        "is_exported": row.precision == export.precision,
    }


def render(card: dict[str, Any]) -> str:
    """The card as Markdown, after a YAML header for the Hugging Face Hub."""
    return header(card) + _body(card)


def _body(card: dict[str, Any]) -> str:
    notes = "".join(
        f"\n> **{markdown.text(note[0].upper() + note[1:])}.**\n" for note in card["notes"]
    )
    limits = "\n".join(f"- {row}" for row in card["limits"])
    annotators = (
        "the owner of its training images"
        if card["training"]["data"] == "csv"
        else "CelebA's annotators"
    )
    return f"""# {markdown.text(card["title"])}
{notes}
Face photograph -> `p_male`, 0..1: how likely {annotators} would have said "Male".
Run `{card["run_id"]}`, {card["created_utc"]}.

{_model(card)}

{_training(card)}

{_result(card)}

## Intended use

{card["intended_use"]}

## Limits

{limits}

## Licence of the data

{card["licence_of_data"]}
"""


def _model(card: dict[str, Any]) -> str:
    training, (height, width) = card["training"], card["input"]["size"]
    unsure = "between {:g} and {:g}".format(*card["output"]["uncertain"])
    return f"""## Model

- {training["backbone"]}, frozen, {training["weights"]} weights (SHA-256 \
`{training["weights_sha256"][:12]}`), average
  pooling, Dense(128, relu), Dense(1, sigmoid); {card["model"]["num_parameters"]:,} parameters
- input: RGB, 0..255, any size; the graph itself resizes to {height} x {width} (height x width);
  then {card["input"]["scaling"]}
- output: above {card["output"]["threshold"]:g} is "male"; {unsure} it is better read as no answer
  ({card["uncertain_share"]:.1%} of the test images)"""


def _training(card: dict[str, Any]) -> str:
    training = card["training"]
    data = f"{SOURCES[training['data']]}, {training['num_train_images']:,} images"
    return f"""## Training

- {data} (SHA-256 `{training["data_sha256"][:12]}`)
- {training["epochs"]} epochs, batch {training["batch_size"]}, seed {training["seed"]}; features
  computed in {training["features"]}"""


def _result(card: dict[str, Any]) -> str:
    test, rows = card["metrics"]["test"], [_row(found) for found in card["precisions"]]
    low, high = test["accuracy_interval"]
    return f"""## Result

- test accuracy {test["accuracy"]:.3f} [{low:.3f}, {high:.3f}] (n = {test["num_images"]:,},
  Wilson's 95 % interval), loss {test["loss"]:.3f}; always answering the majority class scores
  {test["majority_share"]:.3f}
- the fused Keras model in float32: {card["keras_float32"]["accuracy"]:.3f}

{markdown.table(Table(["Precision", "MB", "Test Accuracy", "max Δp from Keras"], rows))}"""


def _row(found: dict[str, Any]) -> list[str]:
    """A precision's cells; what was exported is in bold."""
    name = found["precision"]
    return [
        f"**{name}**" if found["is_exported"] else name,
        f"{found['num_bytes'] / 1e6:.1f}",
        f"{found['accuracy']:.3f}",
        f"{found['max_difference']:.1e}",
    ]
