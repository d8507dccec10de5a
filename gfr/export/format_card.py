"""The model card of one file format: its accuracy, size and latency, and how to load it."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from gfr import engines
from gfr.engines import formats
from gfr.export import model_card
from gfr.report import markdown
from gfr.report.formatting import with_interval
from gfr.report.section import Table
from gfr.results.deployment_records import Agreement, EngineLatency, EngineTiming, FormatResult
from gfr.results.records import Run
from gfr.storage import atomic
from gfr.storage.run_directory import FormatDirectory
from gfr.text import counted

# By engine: the package, and a program that prints p_male of each golden image.
_USES = {
    "litert": (
        "ai-edge-litert",
        """\
from pathlib import Path
import ai_edge_litert.interpreter, numpy as np, PIL.Image
model = ai_edge_litert.interpreter.Interpreter("model.tflite").get_signature_runner()
for path in sorted(Path("golden").glob("*.png")):
    print(path, model(pixels=np.asarray(PIL.Image.open(path))[None])["p_male"].item())""",
    ),
    "onnxruntime": (
        "onnxruntime",
        """\
from pathlib import Path
import numpy as np, onnxruntime, PIL.Image
model = onnxruntime.InferenceSession("model.onnx")
for path in sorted(Path("golden").glob("*.png")):
    print(path, model.run(None, {"pixels": np.asarray(PIL.Image.open(path))[None]})[0].item())""",
    ),
    "openvino": (
        "openvino",
        """\
from pathlib import Path
import numpy as np, openvino, PIL.Image
model = openvino.compile_model("model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
for path in sorted(Path("golden").glob("*.png")):
    print(path, model(np.asarray(PIL.Image.open(path))[None])[0].item())""",
    ),
}


def write(folder: Path, run: Run, row: FormatResult, latency: EngineLatency | None) -> None:
    """Write model_card.json and model_card.md; `latency`: None before it is measured."""
    card, files = facts(run, row, latency), FormatDirectory(folder)
    atomic.write_json(files.model_card_json, card)
    atomic.write_text(files.model_card_md, render(card))


def facts(run: Run, row: FormatResult, latency: EngineLatency | None) -> dict[str, Any]:
    """Return the card of a format that was validated; seconds, bytes and shares 0..1."""
    form, (package, code) = formats.get(row.format), _USES[row.engine]
    timings = latency.rows if latency else ()
    return {
        **model_card.facts_of_trial(run, run.result_of(row.trial.id)),
        "format": {
            "name": form.name,
            "title": form.title,
            "file": form.file,
            "precision": form.precision,
            "engine": row.engine,
            "engine_title": engines.get(row.engine).title,
            "engine_version": row.engine_version,
            "num_bytes": row.num_bytes,
            "package": package,
            "code": code,
            "is_eligible": row.is_eligible,
            "calibration": row.calibration and asdict(row.calibration),
        },
        "agreement": {
            split: found and _agreement_facts(found)
            for split, found in (("validation", row.validation), ("test", row.test))
        },
        "latency": [
            _timing_facts(timing, row)
            for timing in timings
            if (timing.engine, timing.precision) == (row.engine, row.precision)
        ],
    }


def _agreement_facts(found: Agreement) -> dict[str, Any]:
    return {
        **asdict(found),
        **model_card.accuracy_facts(found.num_right, found.num_images),
        "p_value": found.p_value,
        "num_changed": found.num_changed,
    }


def _timing_facts(timing: EngineTiming, row: FormatResult) -> dict[str, Any]:
    process = row.process(timing.num_threads)
    return {
        "num_threads": timing.num_threads,
        "p50_s": timing.single.percentile_s(50),
        "p99_s": timing.single.percentile_s(99),
        "cold_start_s": process and process.cold_start_s,
        "images_per_s": process and process.images_per_s,
        "peak_memory_bytes": process and process.peak_memory_bytes,
    }


def render(card: dict[str, Any]) -> str:
    """Return the card as Markdown."""
    form, test = card["format"], card["agreement"]["test"]
    rows = [
        ["Size (MB)", f"{form['num_bytes'] / 1e6:.1f}"],
        ["Test accuracy", with_interval(test["accuracy"], test["accuracy_interval"])],
        ["Test accuracy of Keras", f"{test['keras_right'] / test['num_images']:.3f}"],
        ["Images with another answer than Keras'", f"{test['num_changed']:,}"],
        ["Largest difference of p_male from Keras", f"{test['max_difference']:.1e}"],
        ["Expected calibration error", f"{test['calibration_error']:.3f}"],
    ]
    for timing in card["latency"]:
        threads = counted(timing["num_threads"], "thread")
        rows.append([f"Latency with {threads}, p50 / p99 (ms)", _ms(timing)])
        if timing["cold_start_s"]:
            rows.append([f"Cold start with {threads} (s)", f"{timing['cold_start_s']:.2f}"])
    return model_card.fill(
        "export/format_card.md.j2",
        card,
        table=markdown.table(Table(["", form["title"]], rows)),
        remark=_remark(card),
    )


def _ms(timing: dict[str, Any]) -> str:
    return f"{1000 * timing['p50_s']:.1f} / {1000 * timing['p99_s']:.1f}"


def _remark(card: dict[str, Any]) -> str:
    """Say where the figures come from."""
    form, test = card["format"], card["agreement"]["test"]
    words = (
        f"{form['engine_title']} {markdown.text(form['engine_version'])} on all "
        f"{test['num_images']:,} test images; Wilson's 95% interval."
    )
    if not card["latency"]:
        words += " Latency: not measured."
    if form["calibration"]:
        words += f" Calibrated on {form['calibration']['num_images']:,} training images."
    if not form["is_eligible"]:
        words += " Not recommended: less accurate than Keras on the validation images."
    return words
