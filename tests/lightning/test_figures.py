"""When the confusion matrix is drawn for the loggers, and how often."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning.callbacks import Callback, EarlyStopping
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import segiou.lightning.figures as figures
from segiou.lightning import SegmentationMonitor
from segiou.lightning.loggers import Result
from tests.helpers.lightning_cases import CLASSES, IGNORED, NAMES, OF_LIGHTNING, Tiny, loader, trainer

pytestmark = OF_LIGHTNING


def monitor(**options: Any) -> SegmentationMonitor:
    return SegmentationMonitor(CLASSES, ignore_index=IGNORED, class_names=NAMES, **options)


def fitted(folder: Path, *callbacks: Any, figure: Any = None, **options: Any) -> CSVLogger:
    logger = CSVLogger(folder)
    runner = trainer(*callbacks, monitor(figure=figure), logger=logger, num_sanity_val_steps=1, **options)
    runner.fit(Tiny(), loader(batch_size=4), loader())
    return logger


def drawn(logger: CSVLogger) -> list[str]:
    folder = Path(logger.log_dir, "figures")
    return sorted(path.stem for path in folder.iterdir()) if folder.exists() else []


def named(*epochs: int) -> list[str]:
    return [f"val_confusion_matrix_epoch{epoch}_step{2 * epoch + 1}" for epoch in epochs]


@pytest.mark.parametrize(
    ("figure", "epochs"),
    [(None, [3]), ("last", [3]), (True, [0, 1, 2, 3]), (1, [0, 1, 2, 3]), (3, [2]), (False, [])],
)
def test_a_training_is_drawn_as_often_as_asked(tmp_path, figure, epochs):
    assert drawn(fitted(tmp_path, figure=figure, max_epochs=4)) == named(*epochs)


class Ending(Callback):
    """Raises in an epoch of training."""

    def __init__(self, error: type[BaseException], epoch: int) -> None:
        self.error, self.epoch = error, epoch

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.current_epoch == self.epoch:
            raise self.error("stop")


@pytest.mark.parametrize(("error", "raised"), [(KeyboardInterrupt, SystemExit), (RuntimeError, RuntimeError)])
def test_a_training_that_is_interrupted_is_drawn(tmp_path, error, raised):
    with pytest.raises(raised):
        fitted(tmp_path, Ending(error, epoch=2), max_epochs=5)
    (folder,) = tmp_path.rglob("figures")
    assert [path.stem for path in folder.iterdir()] == named(1)


def test_a_training_that_stops_early_is_drawn(tmp_path):
    stop = EarlyStopping("val/mIoU", mode="max", patience=1)  # nothing improves at a learning rate of 0
    assert drawn(fitted(tmp_path / "stopped", stop, max_epochs=5)) == named(1)
    assert drawn(fitted(tmp_path / "steps", max_epochs=-1, max_steps=4)) == named(1)


@pytest.mark.parametrize(("figure", "number"), [(None, 1), (True, 1), (5, 1), (False, 0)])
def test_validate_and_test_by_themselves_are_drawn(tmp_path, figure, number):
    logger = CSVLogger(tmp_path)
    runner = trainer(monitor(figure=figure), logger=logger)
    runner.validate(Tiny(), loader(), verbose=False)
    assert [name.split("_")[0] for name in drawn(logger)] == ["val"] * number
    runner.test(Tiny(), loader(), verbose=False)
    assert [name.split("_")[0] for name in drawn(logger)] == ["test", "val"][: 2 * number]


def test_two_loggers_share_one_drawing_that_comes_before_they_close(tmp_path, monkeypatch):
    made, closed, draw = [], [], figures.picture
    monkeypatch.setattr(figures, "picture", lambda result: [draw(result), made.append(list(closed))][0])
    board, csv = TensorBoardLogger(tmp_path / "board"), CSVLogger(tmp_path / "csv")
    finalize = board.finalize
    board.finalize = lambda status: [closed.append(status), finalize(status)][1]
    trainer(monitor(), logger=[board, csv], max_epochs=2).fit(Tiny(), loader(batch_size=4), loader())
    assert made == [[]], "drawn once, while the loggers are open"
    assert closed
    read = EventAccumulator(board.log_dir).Reload()
    assert [event.step for event in read.Images("val/confusion_matrix")] == [3]
    (path,) = Path(csv.log_dir, "figures").iterdir()
    (tmp_path / "board.png").write_bytes(read.Images("val/confusion_matrix")[0].encoded_image_string)
    assert np.array_equal(np.asarray(Image.open(path)), np.asarray(Image.open(tmp_path / "board.png")))


def test_a_figure_that_fails_costs_neither_scores_nor_samples(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "picture", lambda result: 1 / 0)
    logger = CSVLogger(tmp_path)
    with pytest.warns(UserWarning, match="CSVLogger did not take what .* ZeroDivisionError"):
        trainer(monitor(samples=1, figure=True), logger=logger).fit(Tiny(), loader(), loader())
    assert len(list(Path(logger.log_dir, "samples").iterdir())) == 1
    assert "val/IoU_per_class/road" in Path(logger.log_dir, "metrics.csv").read_text()


def test_samples_that_fail_do_not_cost_the_figure(tmp_path, monkeypatch):
    monkeypatch.setattr("segiou.lightning.loggers.panel", lambda *args: 1 / 0)
    logger = CSVLogger(tmp_path)
    with pytest.warns(UserWarning, match="CSVLogger did not take what .* ZeroDivisionError"):
        trainer(monitor(samples=1), logger=logger).validate(Tiny(), loader(), verbose=False)
    assert len(drawn(logger)) == 1


@pytest.mark.parametrize("figure", [0, -1, "first", 1.5])
def test_another_value_raises(figure):
    with pytest.raises(ValueError, match='figure must be True, False, "last" or a number of validations'):
        monitor(figure=figure)


def test_each_cell_is_drawn_in_the_colour_of_its_share():
    metric = SegmentationMonitor(2)._empty.counts
    counts = torch.tensor([[9, 1, 0], [5, 5, 0], [0, 0, 0]])
    picture = figures.picture(Result("val", "", counts, metric))
    assert picture.dtype == np.uint8
    other = figures.picture(Result("val", "", counts.T, metric))
    assert picture.shape == other.shape
    assert not np.array_equal(picture, other)
