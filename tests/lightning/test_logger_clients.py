"""The clients of W&B and MLflow themselves, offline, and what they have written read back; extra ``loggers``."""

import importlib.util
import itertools
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning.loggers import MLFlowLogger, WandbLogger

from segiou import ImagewiseIoU, MeanIoU
from segiou.lightning import SegmentationMonitor
from segiou.lightning.image_panels import show
from segiou.lightning.image_samples import Sample
from segiou.lightning.logger_pictures import When
from tests.helpers.lightning_cases import CLASSES, IGNORED, NAMES, OF_LIGHTNING, Tiny, loader, trainer

pytestmark = [*OF_LIGHTNING, pytest.mark.filterwarnings("ignore")]  # the clients warn of much that is their own
WANDB = pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="needs wandb: pip install segiou[loggers]")
MLFLOW = pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None, reason="needs mlflow: pip install segiou[loggers]"
)
STORES = ["sqlite", "file"]
PNG = b"\x89PNG"


def monitor(**options: Any) -> SegmentationMonitor:
    return SegmentationMonitor(CLASSES, ignore_index=IGNORED, **{"class_names": NAMES, **options})


def expected(model: Tiny, names: list[str]) -> dict[str, float]:
    """The scores of the last validation by a metric alone, by the names in the log."""
    alone = MeanIoU(CLASSES, ignore_index=IGNORED, average="none")
    for scores, target in model.seen["val", 0].values():
        alone.update(scores, target)
    per_class = alone.compute()
    found = {f"val/IoU_per_class/{name}": float(score) for name, score in zip(names, per_class, strict=True)}
    return {"val/mIoU": float(per_class.nanmean()), **found}


def counted(model: Tiny) -> dict[tuple[str, str], int]:
    """Pixels of the last validation by the names of their label and their prediction, one by one."""
    found = dict.fromkeys(itertools.product(NAMES, NAMES), 0)
    for scores, target in model.seen["val", 0].values():
        for label, predicted in zip(target.flatten().tolist(), scores.argmax(1).flatten().tolist(), strict=True):
            if label != IGNORED:
                found[NAMES[label], NAMES[predicted]] += 1
    return found


def image_scores(model: Tiny) -> list[float]:
    """The mIoU of each image of the last validation by a metric alone."""
    batches = model.seen["val", 0].values()
    images = [image for scores, target in batches for image in zip(scores, target, strict=True)]
    alone = ImagewiseIoU(CLASSES, ignore_index=IGNORED)
    return [float(alone(scores[None], target[None])) for scores, target in images]


def records(path: Path) -> Iterator[Any]:
    """What is in a file that W&B has written offline: records in blocks of 32 KiB, each part of one with a header."""
    from wandb.proto import wandb_internal_pb2

    data, place, part = path.read_bytes(), 7, b""
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, size, kind = struct.unpack("<IHB", data[place : place + 7])
        part += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(part)
            part = b""
            yield record


def history(folder: Path) -> list[dict[str, Any]]:
    """The rows of the one W&B run in a folder."""
    (path,) = folder.rglob("*.wandb")
    rows = [record.history.item for record in records(path) if record.WhichOneof("record_type") == "history"]
    return [{"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in row} for row in rows]


@pytest.fixture
def wandb_logger(tmp_path, monkeypatch):
    import wandb

    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_MODE", "offline")
    yield WandbLogger(save_dir=str(tmp_path), project="segiou", offline=True)
    wandb.finish()


@WANDB
def test_wandb(wandb_logger, tmp_path):
    import wandb

    model = Tiny()
    trainer(monitor(), logger=wandb_logger, max_epochs=2).fit(model, loader(batch_size=4), loader())
    wandb.finish()
    wandb.teardown()  # its service writes the last block of the file when it ends
    rows = history(tmp_path)
    last = {key: value for row in rows for key, value in row.items()}
    for key, score in expected(model, NAMES).items():
        assert last[key] == pytest.approx(score, rel=1e-6), key
    steps = {
        key: [row["trainer/global_step"] for row in rows if key in row]
        for key in ("val/mIoU", "val/Dice_per_class/road")
    }
    assert steps == {"val/mIoU": [1, 3], "val/Dice_per_class/road": [1, 3]}, "in one row with Lightning's own"
    (picture,) = tmp_path.rglob("media/images/val/confusion_matrix*.png")
    assert picture.read_bytes().startswith(PNG)
    (shown,) = tmp_path.rglob("media/table/**/*confusion_matrix_counts*.json")
    table = json.loads(shown.read_text())
    assert table["columns"] == ["Actual", "Predicted", "nPredictions"]
    assert {tuple(row[:2]): row[2] for row in table["data"]} == counted(model)


@WANDB
def test_wandb_gets_photos_with_masks_of_its_own(wandb_logger, tmp_path):
    import wandb

    model = Tiny()
    trainer(monitor(samples=2, figure=False), logger=wandb_logger).validate(model, loader(), verbose=False)
    wandb.finish()
    wandb.teardown()
    (shown,) = [row for row in history(tmp_path) if "val/samples/count" in row]
    assert shown["val/samples/count"] == 2
    worst = sorted((score, place) for place, score in enumerate(image_scores(model)))[:2]
    assert shown["val/samples/captions"] == [f"mIoU {score:.4f}" for score, _ in worst]
    assert len(list(tmp_path.rglob("media/images/val/samples*.png"))) == 2
    masks = [Image.open(path) for path in tmp_path.rglob("media/images/mask/val/samples*.mask.png")]
    assert len(masks) == 4, "label and prediction of each"
    targets = [image for _, target in model.seen["val", 0].values() for image in target]
    for _, place in worst:
        expected = targets[place].where(targets[place] != IGNORED, CLASSES)
        assert any(np.array_equal(np.asarray(mask), expected) for mask in masks)


@WANDB
@pytest.mark.parametrize("classes", [4, 255, 256, 300])
def test_wandb_has_an_id_of_its_own_for_pixels_that_do_not_count(wandb_logger, tmp_path, classes):
    """A class 255 may be there. A mask holds a byte for each pixel: more classes than fit are shown as a panel."""
    import wandb

    most = classes - 1
    label = np.array([[0, 1, most], [most, -100, 1]])
    prediction = np.array([[0, 1, most], [0, 1, most]])
    sample = Sample(0.5, np.zeros((2, 3, 3), np.uint8), prediction, label)
    names = [f"class {place}" for place in range(classes)]
    panels = [np.full((40, 50, 3), 9, np.uint8)]
    show(wandb_logger, [sample], lambda: panels, "val/samples", When(0, 0), names, [-100, 1])
    wandb.finish()
    wandb.teardown()
    (picture,) = tmp_path.rglob("media/images/val/samples*.png")
    masks = [
        np.asarray(Image.open(path)).tolist() for path in tmp_path.rglob("media/images/mask/val/samples*.mask.png")
    ]
    if classes > 255:
        assert masks == []
        assert np.asarray(Image.open(picture)).shape == (40, 50, 3)
        return
    assert np.asarray(Image.open(picture)).shape == (2, 3, 3)
    other = classes
    assert sorted(masks) == sorted([prediction.tolist(), [[0, other, most], [most, other, other]]])
    (shown,) = [row for row in history(tmp_path) if "val/samples/all_masks" in row or "val/samples/count" in row]
    assert shown["val/samples/count"] == 1


def mlflow_logger(store: str, folder: Path, monkeypatch) -> MLFlowLogger:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "1")
    uri = f"sqlite:///{folder}/runs.db" if store == "sqlite" else f"file:{folder}/runs"
    return MLFlowLogger("segiou", tracking_uri=uri, artifact_location=str(folder / "artifacts"))


def artifacts(logger: MLFlowLogger, path: str | None = None) -> list[str]:
    """The paths of all files of a run."""
    found = logger.experiment.list_artifacts(logger.run_id, path)
    return [name for each in found for name in (artifacts(logger, each.path) if each.is_dir else [each.path])]


@MLFLOW
@pytest.mark.parametrize("store", STORES)
def test_mlflow(store, tmp_path, monkeypatch):
    model, logger = Tiny(), mlflow_logger(store, tmp_path, monkeypatch)
    trainer(monitor(samples=2), logger=logger, max_epochs=2).fit(model, loader(batch_size=4), loader())
    run = logger.experiment.get_run(logger.run_id)
    assert run.info.status == "FINISHED"
    kept = [re.sub("[^a-zA-Z0-9_. -]", "", name) for name in NAMES]
    for key, score in expected(model, kept).items():
        assert run.data.metrics[key] == pytest.approx(score, rel=1e-6), key
        assert [point.step for point in logger.experiment.get_metric_history(logger.run_id, key)] == [1, 3]
    places = [f"_epoch{epoch}_step{2 * epoch + 1}.png" for epoch in (0, 1)]
    kept = [f"val/confusion_matrix{places[1]}", *(f"val/samples/{place}{at}" for place in (0, 1) for at in places)]
    assert sorted(artifacts(logger)) == kept
    for name in kept:
        picture = Path(logger.experiment.download_artifacts(logger.run_id, name, str(tmp_path)))
        assert picture.read_bytes().startswith(PNG)


@MLFLOW
@pytest.mark.parametrize("store", STORES)
def test_names_that_mlflow_would_merge_stay_apart(store, tmp_path, monkeypatch):
    names = ["cat+dog", "catdog", "sky/cloud", "道路"][:CLASSES]
    model, logger = Tiny(), mlflow_logger(store, tmp_path, monkeypatch)
    trainer(monitor(class_names=names), logger=logger).fit(model, loader(), loader())
    found = logger.experiment.get_run(logger.run_id).data.metrics
    known = ["catdog", "catdog_1", "skycloud", "_3"][:CLASSES]
    for key, score in expected(model, known).items():
        assert found[key] == pytest.approx(score, rel=1e-6), key


@MLFLOW
def test_a_store_that_fails_does_not_end_the_training(tmp_path, monkeypatch):
    logger = mlflow_logger("file", tmp_path, monkeypatch)
    monkeypatch.setattr(type(logger.experiment), "log_image", lambda *args, **kwargs: 1 / 0)
    model = Tiny()
    with pytest.warns(UserWarning, match="MLFlowLogger did not take what .* ZeroDivisionError"):
        trainer(monitor(), logger=logger, max_epochs=2).fit(model, loader(), loader())
    assert torch.isfinite(torch.tensor(logger.experiment.get_run(logger.run_id).data.metrics["val/mIoU"]))
