"""Write the model files that engines are timed with. Runs in child processes, with TensorFlow."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras

from gfr.config.schema import TFJS, Precision
from gfr.engines import formats, keras_model, openvino
from gfr.errors import InputError, StepFailed
from gfr.export import convert, saved_model
from gfr.pipeline import latency
from gfr.pipeline.engine_latency import Prepared
from gfr.pipeline.formats.engine_models import untimed
from gfr.results import export_records, records, store
from gfr.results.deployment import FLOAT32_FORMATS
from gfr.results.deployment_records import EngineModel


def prepare_formats(run_dir: Path, trial_id: str, names: tuple[str, ...], folder: Path) -> Prepared:
    """Return the written formats that are not timed yet, and what only engines can choose.

    That is bfloat16: TensorFlow gets a file of its own in `folder`, OpenVINO the file in float32.
    """
    run = store.read_run(run_dir)
    result = run.result_of(trial_id)
    models: list[EngineModel] = []
    for model in untimed(run, result):
        if model.engine not in names:
            continue
        if model.engine == "tensorflow":
            models += _in_tensorflow(run, result, model, folder)
        else:
            models.append(model)
        if model.engine == "openvino" and openvino.computes_bfloat16():
            models.append(replace(model, precision="bfloat16", arithmetic="bfloat16"))
    return Prepared(tuple(models))


def _in_tensorflow(
    run: records.Run, result: records.TrialResult, model: EngineModel, folder: Path
) -> Iterator[EngineModel]:
    """Yield Keras files in float32 and, where the machine is faster in it, in bfloat16."""
    for precision in latency.precisions(run, result):
        if precision == "float32" and model.path.is_file():
            yield model
            continue
        fused = keras_model.load(run.directory, result, precision)
        yield _saved(fused, result, precision, folder / f"{precision}.keras")


def _saved(
    model: keras.Model, result: records.TrialResult, precision: Precision, path: Path
) -> EngineModel:
    """Save a model for TensorFlow; its size includes that of a network from elsewhere."""
    model.save(path)
    num_bytes = path.stat().st_size + result.features.weights.num_bytes_beside_keras()
    return EngineModel("tensorflow", "", precision, path, num_bytes)


def prepare_feature_set(
    run_dir: Path, trial_id: str, names: tuple[str, ...], folder: Path
) -> Prepared:
    """Write the fused model in float32 for each of these engines; see `Plan.prepare`."""
    result = store.read_run(run_dir).result_of(trial_id)
    model = keras_model.load(run_dir, result)
    models = []
    if "tensorflow" in names:
        models.append(_saved(model, result, "float32", folder / "model.keras"))
    others = [name for name in names if name != "tensorflow"]
    failed = [(name, why) for name in others if (why := result.features.weights.two_steps(name))]
    others = [name for name in others if name not in dict(failed)]
    if others:
        saved_model.write_source(model, folder)
    del model
    for name in others:
        try:
            models.append(_converted(name, folder))
        except (InputError, StepFailed) as error:
            failed.append((name, str(error)))
    return Prepared(tuple(models), tuple(failed))


def _converted(engine: str, folder: Path) -> EngineModel:
    """Convert the fused model in `folder` for an engine, in float32."""
    if engine == TFJS:
        from gfr.export import tfjs

        tfjs.convert(("float32",), folder)
        path = export_records.directory(folder, "float32")
        num_bytes = export_records.num_bytes(path)
        return EngineModel(TFJS, TFJS, "float32", path, num_bytes, num_threads=1)
    form = formats.get(FLOAT32_FORMATS[engine])
    place = folder / form.name
    place.mkdir()
    convert.convert(export_records.source(folder), form, place)
    num_bytes = form.num_bytes(place)
    return EngineModel(engine, form.name, form.precision, place / form.file, num_bytes)
