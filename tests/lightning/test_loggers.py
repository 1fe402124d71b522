"""What the loggers and the console get: scores per class, the figure, the table."""

import csv
import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from segiou import ConfidenceInterval, Dice, Imagewise, MeanIoU, Precision, Recall, SegmentationMetrics
from segiou.lightning import SegmentationMonitor
from segiou.lightning.loggers import Result, table
from segiou.metrics.log_names import told_apart
from tests.helpers.lightning_cases import CLASSES, IGNORED, NAMES, OF_LIGHTNING, Tiny, loader, trainer

pytestmark = OF_LIGHTNING
SHOWN = ("mIoU", "Dice", "IoU_per_class/road", "Dice_per_class/road")


def monitor(**options: Any) -> SegmentationMonitor:
    return SegmentationMonitor(CLASSES, ignore_index=IGNORED, **{"class_names": NAMES, **options})


def per_class(model: Tiny, stage: str = "val") -> dict[str, float]:
    """The scores of each class by the metrics alone, under the names that the loggers get."""
    found = {}
    for name, metric in (("IoU", MeanIoU), ("Dice", Dice)):
        alone = metric(CLASSES, ignore_index=IGNORED, average="none")
        for scores, target in model.seen[stage, 0].values():
            alone.update(scores, target)
        found |= {
            f"{stage}/{name}_per_class/{label}": float(score)
            for label, score in zip(NAMES, alone.compute(), strict=True)
        }
    return found


class Recorder(Logger):
    """Keeps what it is given."""

    name, version, run_id = "recorder", 0, "run-1"

    def __init__(self) -> None:
        super().__init__()
        self.metrics: list[tuple[dict[str, float], int | None]] = []

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to keep."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.metrics.append((metrics, step))


class Images(TensorBoardLogger):
    """TensorBoard's own, of which the figures are also kept."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.figures: list[tuple[str, int]] = []
        add = self.experiment.add_image

        def add_image(tag: str, image: Any, global_step: int, dataformats: str) -> None:
            self.figures.append((tag, global_step))
            add(tag, image, global_step=global_step, dataformats=dataformats)

        self.experiment.add_image = add_image  # type: ignore[method-assign]


def test_a_logger_that_is_not_known_gets_the_scores_and_no_figure():
    recorder, model = Recorder(), Tiny()
    trainer(monitor(), logger=recorder, max_epochs=2).fit(model, loader(batch_size=4), loader())
    latest = next(metrics for metrics, _ in reversed(recorder.metrics) if "val/IoU_per_class/road" in metrics)
    assert latest == pytest.approx({**per_class(model), "epoch": 1}, nan_ok=True)
    for stage in ("train", "val"):
        steps = {key: [step for metrics, step in recorder.metrics if f"{stage}/{key}" in metrics] for key in SHOWN}
        assert steps == {key: [1, 3] for key in SHOWN}  # beside Lightning's own


def test_several_loggers_and_loaders(tmp_path):
    first, second = Images(tmp_path / "a"), Recorder()
    trainer(monitor(), logger=[first, second]).validate(Tiny(), [loader(), loader(3)])
    assert [key for key, *_ in first.figures] == [f"val/confusion_matrix/dataloader_idx_{i}" for i in (0, 1)]
    assert {f"val/IoU_per_class/{name}/dataloader_idx_1" for name in NAMES} <= {k for m, _ in second.metrics for k in m}


@pytest.mark.parametrize(
    ("options", "scores", "figures"),
    [({"figure": False}, True, 0), ({"per_class": False}, False, 1), ({"stages": ["train"]}, False, 0)],
)
def test_scores_and_figure_can_be_left_out(tmp_path, options, scores, figures):
    recorder, drawn = Recorder(), Images(tmp_path)
    trainer(monitor(**options), logger=[recorder, drawn]).fit(Tiny(), loader(), loader())
    assert any("val/IoU_per_class/road" in metrics for metrics, _ in recorder.metrics) == scores
    assert len(drawn.figures) == figures


def test_csv(tmp_path):
    model, logger = Tiny(), CSVLogger(tmp_path)
    trainer(monitor(), logger=logger).fit(model, loader(), loader())
    with open(Path(logger.log_dir, "metrics.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    expected = {**per_class(model), **per_class(model, "train")}
    written = {key: [float(row[key]) for row in rows if row[key]] for key in expected}
    for key, score in expected.items():
        assert written[key] == pytest.approx([score], nan_ok=True), key
    assert [float(row["val/mIoU"]) for row in rows if row["val/mIoU"]]
    pictures = list(Path(logger.log_dir, "figures").iterdir())
    assert [picture.name for picture in pictures] == ["val_confusion_matrix_epoch0_step2.png"]
    assert pictures[0].read_bytes().startswith(b"\x89PNG")


@pytest.mark.filterwarnings("ignore:.*(pkg_resources|np.bool8)")
def test_tensorboard(tmp_path):
    model, logger = Tiny(), TensorBoardLogger(tmp_path)
    trainer(monitor(), logger=logger).fit(model, loader(), loader())
    logger.experiment.close()
    events = EventAccumulator(logger.log_dir).Reload()
    assert events.Tags()["images"] == ["val/confusion_matrix"]
    assert [image.step for image in events.Images("val/confusion_matrix")] == [2]
    for key, score in per_class(model).items():
        assert [event.value for event in events.Scalars(key)] == pytest.approx([score], nan_ok=True)


@pytest.mark.parametrize("task", [{"task": "binary"}, {"task": "multilabel", "num_labels": 2}])
def test_the_other_tasks_are_drawn_and_named(task, tmp_path, capsys):
    class Halves(Tiny):
        """Binary: one map, multilabel: two."""

        def test_step(self, batch: Any, batch_idx: int) -> Any:
            images, target = batch
            maps = task.get("num_labels", 1)
            return {
                "preds": self.net(images)[:, :maps].sigmoid(),
                "target": target[:, None].expand(-1, maps, -1, -1) % 2,
            }

    recorder, drawn, names = Recorder(), Images(tmp_path), ["sea", "ice"]
    trainer(SegmentationMonitor(**task, class_names=names), logger=[recorder, drawn]).test(
        Halves(), loader(), verbose=False
    )
    assert len(drawn.figures) == 1
    assert {f"test/IoU_per_class/{name}" for name in names} <= {
        key for metrics, _ in recorder.metrics for key in metrics
    }
    printed = capsys.readouterr().out
    assert all(name in printed for name in names)


def test_without_a_logger_only_the_table_is_shown(capsys):
    model = Tiny()
    trainer(monitor()).fit(model, loader(), loader())
    assert "ground" not in capsys.readouterr().out
    trainer(monitor()).test(model, loader(), verbose=False)
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert lines[0].strip() == "test"
    cells = {line.split("│")[1].strip(): line.split("│")[2:7] for line in lines if line.startswith("│")}
    assert [*cells] == [*NAMES, "mean / total"]
    for column, metric in enumerate((MeanIoU, Dice, Precision, Recall)):
        alone, each = (metric(CLASSES, ignore_index=IGNORED, average=average) for average in ("macro", "none"))
        for scores, target in model.seen["test", 0].values():
            alone.update(scores, target)
            each.update(scores, target)
        for row, score in [("mean / total", alone.compute()), *zip(NAMES, each.compute(), strict=True)]:
            assert cells[row][column].strip() == ("-" if score.isnan() else f"{score:.4f}")
    targets = torch.cat([target for _, target in model.seen["test", 0].values()])
    assert cells["[tree]"][4].strip() == f"{int((targets == 2).sum()):,}"


def test_a_score_without_value_and_many_pixels_in_the_table():
    metric = SegmentationMonitor(3)._empty.counts
    counts = torch.zeros(4, 4, dtype=torch.int64)
    counts[0, 0], counts[1, 0] = 2**31, 1234
    text = table(Result("test", "/dataloader_idx_1", counts, metric))
    rows = [[cell.strip() for cell in line.split("│")] for line in text.splitlines()]
    assert text.startswith("test/dataloader_idx_1")
    assert ["", "2", "-", "-", "-", "-", "0", ""] in rows
    assert ["", "1", "0.0000", "0.0000", "-", "0.0000", "1,234", ""] in rows
    assert any("2,147,483,648" in row for row in rows)


def test_without_rich_no_table_is_printed(monkeypatch, capsys):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "rich" else found(name, *rest))
    trainer(monitor()).test(Tiny(), loader(), verbose=False)
    assert "ground" not in capsys.readouterr().out


class Failing(Recorder):
    """A logger whose client has lost its server, or its disk."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if any("per_class" in key for key in metrics):
            raise OSError("no space left")
        super().log_metrics(metrics, step)


def test_a_logger_that_fails_is_warned_of_and_the_training_goes_on(tmp_path):
    failing, well = Failing(), Images(tmp_path)
    with pytest.warns(
        UserWarning, match=r"^Failing did not take what .* the run goes on without: OSError: no space left"
    ):
        trainer(monitor(), logger=[failing, well], max_epochs=2).fit(Tiny(), loader(), loader())
    assert [key for key, *_ in well.figures] == ["val/confusion_matrix"], "once, of the last validation"
    assert sum("val/mIoU" in metrics for metrics, _ in failing.metrics) == 2


def test_no_key_is_a_folder_of_another():
    """MLflow's file store keeps a key as a file, and what is before a "/" as a folder."""
    recorder = Recorder()
    names = ["road", "road/lane", "cat+dog", "catdog"]
    metrics = [
        SegmentationMetrics(CLASSES, ignore_index=IGNORED, per_class=True, class_names=names),
        ConfidenceInterval(MeanIoU(CLASSES, ignore_index=IGNORED, average="none", class_names=names), replicates=100),
        Imagewise(Precision(CLASSES, ignore_index=IGNORED, average="none", class_names=names)),
    ]
    trainer(monitor(class_names=names, metrics=metrics), logger=recorder).fit(Tiny(), loader(), loader())
    keys = {key for metrics, _ in recorder.metrics for key in metrics}
    assert "val/mIoU_low_per_class/road" in keys
    folders = {"/".join(key.split("/")[:end]) for key in keys for end in range(1, key.count("/") + 1)}
    assert not folders & keys
    for clean in (lambda key: re.sub("[^a-zA-Z0-9_/. -]+", "", key), lambda key: re.sub(r"[^-/\w.]", "_", key)):
        assert len({clean(key) for key in keys}) == len(keys), "a logger would merge some"


@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=8, unique=True))
def test_names_stay_apart_in_every_logger(names):
    found = told_apart(names)
    assert not {".", ".."} & {*found}
    assert len(found) == len(names)
    assert not any("/" in name for name in found)
    for clean in ("[^a-zA-Z0-9_. -]+", r"[^-\w.]"):
        reduced = [re.sub(clean, "_" if "w" in clean else "", name) for name in found]
        assert len(set(reduced)) == len(names)
        assert all(reduced)
    plain = [name for name in names if re.fullmatch("[a-zA-Z0-9]+", name)]
    if plain == names:
        assert found == names
