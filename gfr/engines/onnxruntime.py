"""ONNX Runtime as an engine: .onnx files, on the CPU. An extra (docs/dependencies.md)."""

from functools import partial
from pathlib import Path

import numpy as np

from gfr.config.schema import Precision
from gfr.engines.base import INSTALL, Classify, Engine, by_size, check_signature, missing
from gfr.errors import InputError, StepFailed, reason
from gfr.measurement.software import version

_ONLY_FATAL = 4  # level of its log; errors are raised as well


def _why(error: Exception) -> str:
    """Return the reason in ONNX Runtime's message, without its codes and the path."""
    return reason(RuntimeError(str(error).rpartition("failed:")[2].strip()))


def _open(model: Path, num_threads: int, precision: Precision) -> Classify:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    failures = (
        *(state.Fail, state.InvalidArgument, state.NoSuchFile, state.NoModel, state.EngineError),
        *(state.RuntimeException, state.InvalidProtobuf, state.InvalidGraph, state.NotImplemented),
        *(state.EPFail, RuntimeError),
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = num_threads, 1
    # A spinning thread would slow down the other engines that are timed in the same process.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _ONLY_FATAL
    try:
        session = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )
    except failures as error:
        raise InputError(
            f"{model}: ONNX Runtime cannot load it ({_why(error)}). Export it again"
        ) from None
    pixels, *_ = session.get_inputs()
    dtype = pixels.type.removeprefix("tensor(").removesuffix(")")
    check_signature(model, dtype, pixels.shape, len(session.get_outputs()))

    def run(batch: np.ndarray) -> np.ndarray:
        try:
            return session.run(None, {pixels.name: batch})[0]
        except failures as error:
            raise StepFailed(f"{model}: ONNX Runtime cannot run it: {_why(error)}") from None

    return partial(by_size, run)


ENGINE = Engine(
    name="onnxruntime",
    title="ONNX Runtime",
    install=INSTALL,
    unavailable=partial(missing, "onnxruntime"),
    version=partial(version, "onnxruntime"),
    open=_open,
)
