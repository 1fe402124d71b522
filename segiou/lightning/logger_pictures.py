"""Pictures in the place where each kind of logger has them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple


class When(NamedTuple):
    """When something was measured: the epoch, and the step of Lightning's own log calls."""

    epoch: int
    step: int


def when_of(trainer: Any, stage: str) -> When:
    """The epoch and the step of what is measured now; at the end of a training epoch the step of the batch before."""
    return When(trainer.current_epoch, trainer.fit_loop.epoch_loop._batches_that_stepped - (stage == "train"))


def kind_of(logger: Any) -> str:
    """Which of the loggers that take pictures a logger is, or "" for another."""
    return next((each.__name__ for each in type(logger).__mro__ if each.__name__ in KINDS), "")


def show_pictures(logger: Any, pictures: Callable[[], Mapping[str, Any]], when: When, folder: str) -> None:
    """Give pictures to a logger; a kind of logger that is not known gets none, and they are not made for it.

    Args:
        logger: one of the trainer's.
        pictures: makes them: uint8 ``(height, width, 3)``, by the name in the log.
        when: the epoch and the step, which are in the names of files.
        folder: below that of ``CSVLogger``.
    """
    add = KINDS.get(kind_of(logger))
    if add:
        for tag, picture in pictures().items():
            add(logger, tag, picture, when, folder)


def _to_tensorboard(logger: Any, tag: str, picture: Any, when: When, folder: str) -> None:
    logger.experiment.add_image(tag, picture, global_step=when.step, dataformats="HWC")


def _to_wandb(logger: Any, tag: str, picture: Any, when: When, folder: str) -> None:
    logger.log_image(key=tag, images=[picture], step=when.step)


def _to_mlflow(logger: Any, tag: str, picture: Any, when: When, folder: str) -> None:
    logger.experiment.log_image(logger.run_id, picture, artifact_file=_file(tag, when))


def _to_folder(logger: Any, tag: str, picture: Any, when: When, folder: str) -> None:
    from PIL import Image

    path = Path(logger.log_dir) / folder / _file(tag.replace("/", "_"), when)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def _file(tag: str, when: When) -> str:
    return f"{tag}_epoch{when.epoch}_step{when.step}.png"


KINDS: dict[str, Callable[[Any, str, Any, When, str], None]] = {
    "TensorBoardLogger": _to_tensorboard,
    "WandbLogger": _to_wandb,
    "MLFlowLogger": _to_mlflow,
    "CSVLogger": _to_folder,
}
