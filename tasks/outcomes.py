"""How the steps of a run ended, and what that means for its trials and for the run."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from prefect import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed, get_state_exception

from gfr.config.schema import FeatureSet, Trial
from gfr.errors import CannotWrite
from gfr.progress import reporter
from gfr.results import store


def finished_trials(
    run_dir: Path,
    features: Mapping[FeatureSet, Sequence[PrefectFuture]],
    heads: Mapping[Trial, PrefectFuture],
) -> list[Trial]:
    """Wait for all heads, and record for each trial without one why it failed."""
    for feature_set, parts in features.items():
        _wait_for(feature_set.title, parts)
    for trial, head in heads.items():
        _wait_for(trial.title, [head])
    finished = []
    for trial, head in heads.items():
        if head.state.is_completed():
            finished.append(trial)
        else:
            steps = [*features[trial.feature_set], head]
            cause = next(step.state for step in steps if not step.state.is_completed())
            if isinstance(error := get_state_exception(cause), CannotWrite):
                raise error  # a full disk is not a property of a trial
            store.write_failure(run_dir, trial, cause.message)
    return finished


def final_state(num_trials: int, num_finished: int, others: Iterable[State]) -> State[str]:
    """The state of the flow run; `others` are those of latency measurements and the export."""
    messages = [state.message for state in others if not state.is_completed()]
    num_failed = num_trials - num_finished
    if num_failed or messages:
        failures = [f"{num_failed} of {num_trials} trials failed", *messages]
        return Failed(message="; ".join(failures))
    return Completed(message="all trials finished")


def _wait_for(title: str, futures: Sequence[PrefectFuture]) -> None:
    """Wait for a step's parts and report each as done, even if it failed or reported nothing."""
    for number, future in enumerate(futures, 1):
        future.wait()
        reporter(title, part=(number, len(futures)))(1, 1)
