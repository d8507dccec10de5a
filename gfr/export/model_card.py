"""The model card: what a model is, what it was trained on, and its limits.

model_card.json holds every value fixed by training, for the page; model_card.md is for people.
"""

import json
import math
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from gfr import templates
from gfr.config import scaling
from gfr.data.download import catalog
from gfr.data.layouts import SOURCES
from gfr.evaluation.metrics import THRESHOLD
from gfr.evaluation.statistics import wilson
from gfr.report import markdown
from gfr.report.section import Table
from gfr.results import export_records
from gfr.results.export_records import ExportResult
from gfr.results.records import Run, TrialResult
from gfr.storage import atomic, paths
from gfr.storage.run_directory import ExportDirectory

SCHEMA = 1

UNCERTAIN = (0.4, 0.6)  # the page shows p_male between these as "uncertain"

_FOLDER = Path(__file__).parent


def write(folder: Path, run: Run, result: TrialResult, export: ExportResult) -> None:
    """Write model_card.json and model_card.md."""
    card = facts(run, result, export)
    atomic.write_json(ExportDirectory(folder).model_card_json, card)
    atomic.write_text(ExportDirectory(folder).model_card_md, render(card))


def facts(run: Run, result: TrialResult, export: ExportResult) -> dict[str, Any]:
    """Return the card: shares 0..1, sizes (height, width) and points (x, y) in px."""
    return {
        **facts_of_trial(run, result),
        "model": _model_facts(export),
        "precisions": _precision_facts(export),
        "keras_float32": accuracy_facts(export.keras_right, export.num_images),
    }


def facts_of_trial(run: Run, result: TrialResult) -> dict[str, Any]:
    """Return what the cards of all formats of a trial have in common."""
    trial, record = result.trial, run.record
    p_male = result.test_probabilities.values()
    source, texts = SOURCES[record.data.source], _texts()
    weights = texts["weights"][result.features.weights.source]
    alignment = json.loads((_FOLDER / "alignment.json").read_text("utf-8"))
    return {
        "schema": SCHEMA,
        "title": trial.title,
        "trial": trial.id,
        "run_id": record.run_id,
        "created_utc": record.created_utc,
        "notes": run.notes_of(result),
        "input": {
            "size": list(trial.feature_set.size),
            "scaling": scaling.words(trial.backbone.scaling),
        },
        "output": {
            "positive": "male",
            "negative": "female",
            "threshold": THRESHOLD,
            "uncertain": list(UNCERTAIN),
        },
        "alignment": {key: alignment[key] for key in ("height", "width", "points")},
        "metrics": _metrics_facts(run, result),
        "better_than_majority": run.is_better_than_majority(result),
        "uncertain_share": sum(UNCERTAIN[0] < p < UNCERTAIN[1] for p in p_male) / len(p_male),
        "training": _training_facts(run, result),
        "intended_use": texts["intended_use"],
        "limits": [*source.limits, weights["limit"], source.alignment],
        "licence_of_data": source.licence,
        "versions": result.provenance.versions,
    }


def _texts() -> dict[str, Any]:
    """Return the card's intended use, and its texts by source of the backbone's weights."""
    return tomllib.loads((_FOLDER / "model_card.toml").read_text("utf-8"))


def _model_facts(export: ExportResult) -> dict[str, Any]:
    return {
        "file": "tfjs/model.json",
        "precision": export.precision,
        "num_bytes": export.written.num_bytes,
        "num_parameters": export.num_parameters,
        "digest": export.digest,
        # Largest difference from Keras on a device that computes correctly with these weights.
        "tolerance": max(export_records.MAX_DIFFERENCE, export.written.max_difference),
    }


def _metrics_facts(run: Run, result: TrialResult) -> dict[str, Any]:
    """Return the metrics by split."""
    split = run.record.split
    return {
        name: {
            **accuracy_facts(metrics.num_right, metrics.num_images),
            "loss": metrics.loss,
            "majority_share": split.constant_answer(name)["accuracy"],
        }
        for name, metrics in result.metrics.items()
    }


def _precision_facts(export: ExportResult) -> list[dict[str, Any]]:
    """Return every precision: that of the files on the test images, others on validation."""
    facts = []
    for model in export.models:
        found = model if model.num_images else model.chosen_by
        facts.append(
            asdict(model)
            | asdict(found)
            | accuracy_facts(found.num_right, found.num_images)
            | {
                "split": "test" if model.num_images else "validation",
                "p_value": found.p_value,
                "is_exported": model == export.written,
            }
        )
    return facts


def accuracy_facts(num_right: int, num_images: int) -> dict[str, Any]:
    """Return an accuracy with Wilson's interval and the number of images."""
    return {
        "accuracy": num_right / num_images,
        "accuracy_interval": list(wilson(num_right, num_images)),
        "num_images": num_images,
    }


def _training_facts(run: Run, result: TrialResult) -> dict[str, Any]:
    trial, weights, data = result.trial, result.features.weights, run.record.data
    hub = catalog.load(paths.ROOT / "benchmarks" / "sources.toml").huggingface
    return {
        "backbone": trial.backbone.name,
        # What the benchmark file says of a backbone from elsewhere; gfr does not check it.
        "backbone_origin": {
            name: value
            for name in ("license", "source", "trained_on")
            if (value := getattr(trial.backbone, name))
        },
        "weights": weights.source,
        "weights_sha256": weights.sha256,
        "features": result.features.precision,
        "epochs": trial.iteration.epochs,
        "batch_size": trial.batch_size,
        "seed": trial.seed,
        "data": data.source,
        "data_sha256": data.digest,
        "hub_dataset": None if SOURCES[data.source].dataset_type else hub.repository,
        "num_train_images": result.metrics["train"].num_images,
    }


def render(card: dict[str, Any]) -> str:
    """Return the card as Markdown, after a YAML header for the Hugging Face Hub."""
    header = ["Precision", "MB", "Test accuracy", "max Δp from Keras"]
    rows = [
        [
            f"**{row['precision']}**" if row["is_exported"] else row["precision"],
            f"{row['num_bytes'] / 1e6:.1f}",
            f"{row['accuracy']:.3f}",
            f"{row['max_difference']:.1e}",
        ]
        for row in card["precisions"]
    ]
    return fill("export/model_card.md.j2", card, table=markdown.table(Table(header, rows)))


def fill(template: str, card: dict[str, Any], **values: object) -> str:
    """Fill a template with a card and what follows from it."""
    training = card["training"]
    return templates.render(
        template,
        **card,
        source=SOURCES[training["data"]],
        weights=_texts()["weights"][training["weights"]],
        text=markdown.text,
        yaml=_yaml,
        **values,
    )


def _yaml(value: str | float) -> str:
    """Return a value of the header on one line: a folded line could start with Markdown syntax."""
    line = yaml.safe_dump(value, allow_unicode=True, width=math.inf)
    return line.removesuffix("...\n").rstrip()
