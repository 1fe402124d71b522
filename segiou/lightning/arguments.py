"""Arguments of the monitor, checked before anything runs."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Literal, get_args

from segiou.counting.rules import Rules
from segiou.environment.installed import installed
from segiou.lightning.batch_parts import Part
from segiou.lightning.batch_photos import BatchPhotos
from segiou.lightning.captured_calls import Calls, CapturedCalls
from segiou.lightning.epoch_samples import EpochSamples
from segiou.lightning.photo import Photo
from segiou.lightning.step_outputs import Outputs, Stage
from segiou.metrics.imagewise import ImagewiseIoU

_PHOTO = ("image", "mean", "std", "bands")


def checked_stages(stages: Stage | Sequence[Stage]) -> tuple[Stage, ...]:
    """The stages as a tuple. Raises ValueError for unknown ones."""
    chosen = (stages,) if isinstance(stages, str) else tuple(stages)
    if not chosen or any(stage not in get_args(Stage) for stage in chosen):
        raise ValueError(f'stages must be some of "train", "val" and "test", got {stages!r}')
    return chosen


def require_report(report: str | PathLike[str] | None, stages: tuple[Stage, ...]) -> None:
    """Raise ValueError or ModuleNotFoundError where a report could not be written."""
    if report is not None and "test" not in stages:
        raise ValueError(f"report={str(report)!r} is written after test, which stages={stages} leave out")
    if report is not None and not installed("jinja2"):
        raise ModuleNotFoundError('report needs Jinja2: pip install "segiou[report]"')


def batch_photos(
    samples: int | Literal["first"] | None,
    report: str | PathLike[str] | None,
    image: Part | None,
    mean: Sequence[float] | float | None,
    std: Sequence[float] | float | None,
    bands: Sequence[int] | int | None,
) -> BatchPhotos | None:
    """The photos of batches, where images are shown; None elsewhere. Raises what it and ``Photo`` raise."""
    if samples is None and report is None:
        given = [name for name, value in zip(_PHOTO, (image, mean, std, bands), strict=True) if value is not None]
        if given:
            raise ValueError(f"{given[0]} goes with samples= or report=, which show images: pass one of them as well")
        return None
    how = Photo(bands, mean, std)  # type: ignore[arg-type]  # which become tuples
    return BatchPhotos(image, how, expected=samples is not None)


def epoch_samples(
    samples: int | Literal["first"] | None, stages: tuple[Stage, ...], num_classes: Any, **kwargs: Any
) -> EpochSamples | None:
    """The images that loggers show; None for none. Raises what ``EpochSamples`` raises; ``kwargs`` are its metric's."""
    if samples is None:
        return None
    if set(stages) == {"train"}:
        raise ValueError(
            f"samples={samples!r} shows images of validation and test, which stages={stages} leaves out: add one of "
            "them to stages, or leave samples out"
        )
    return EpochSamples(samples, num_classes, ImagewiseIoU(num_classes, **kwargs).metric)


def require_single_value(average: str | None) -> None:
    """Raise ValueError for an average that gives several values."""
    if average == "none":
        raise ValueError('average="none" gives no single value to log: leave it out, the loggers get scores per class')


def captured_calls(
    model: str | None,
    target: Part | None,
    preds: Callable[[Any], Any] | None,
    calls: Calls | None,
    outputs: Outputs | None,
    rules: Rules,
) -> CapturedCalls | None:
    """Where predictions come from, if not from what the steps return. Raises ValueError or TypeError."""
    if outputs is not None and not callable(outputs):
        raise TypeError(f"outputs must be a function of (outputs, batch), got {outputs!r}")
    if model is None:
        given = [
            f"{name}={value!r}"
            for name, value in zip(("target", "preds", "calls"), (target, preds, calls), strict=True)
            if value is not None
        ]
        if given:
            raise ValueError(
                f"{given[0]} goes with model=, the name of the network whose calls give the predictions: pass model as "
                "well, or outputs=function(outputs, batch) -> (preds, target) for what the steps return"
            )
        return None
    if outputs is not None:
        raise ValueError(
            f"model={model!r} takes predictions from a call and outputs= from what the steps return: pass one of them"
        )
    return CapturedCalls(model, target, preds, calls, of_bools=rules.task != "multiclass" or rules.num_classes == 2)
