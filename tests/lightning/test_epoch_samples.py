"""The images that the monitor shows, as the loggers' files hold them."""

from pathlib import Path

import pytest
import torch
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import DataLoader

from segiou import ImagewiseIoU, MeanIoU
from segiou.lightning import SegmentationMonitor
from segiou.lightning.image_panels import panel
from segiou.lightning.photo import Photo
from tests.helpers.lightning_cases import CLASSES, IGNORED, OF_LIGHTNING, Tiny, loader, trainer

pytestmark = OF_LIGHTNING


def monitor(**options):
    return SegmentationMonitor(CLASSES, ignore_index=IGNORED, figure=False, **options)


def pictures(logger):
    folder = Path(logger.log_dir, "samples")
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("options", [{}, {"model": "net"}])
def test_csv_gets_the_worst_images_of_validation_and_test(tmp_path, options):
    logger = CSVLogger(tmp_path)
    runner = trainer(monitor(samples=2, **options), logger=logger, num_sanity_val_steps=2)
    runner.fit(Tiny(), loader(), loader())
    written = [f"val_samples_{place}_epoch0_step2.png" for place in (0, 1)]
    assert pictures(logger) == written, "none of the sanity check or of training"
    runner.test(Tiny(), loader(), verbose=False)
    assert len([name for name in pictures(logger) if name.startswith("test_samples")]) == 2


def test_tensorboard_gets_the_first_images(tmp_path):
    logger = TensorBoardLogger(tmp_path)
    trainer(monitor(samples="first", image=0), logger=logger).validate(Tiny(), loader(), verbose=False)
    read = EventAccumulator(logger.log_dir)
    read.Reload()
    assert read.Tags()["images"] == [f"val/samples/{place}" for place in range(4)]


def test_a_photo_that_cannot_be_read_is_left_out_with_one_warning(tmp_path):
    logger = CSVLogger(tmp_path)
    runner = trainer(monitor(samples=2, image=lambda batch: batch[0][:, 0, 0]), logger=logger)
    with pytest.warns(UserWarning, match="without photos") as caught:
        runner.validate(Tiny(), loader(), verbose=False)
    assert len([each for each in caught if "without photos" in str(each.message)]) == 1
    assert len(pictures(logger)) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "samples must be"),
        ({"samples": "worst"}, "samples must be"),
        ({"image": 0}, "image goes with samples= or report="),
        ({"samples": 1, "mean": (0.5,)}, "mean and std go together"),
        ({"samples": 1, "bands": (0, 1)}, "bands must be"),
        ({"report": "report.html", "mean": 0.5, "std": 0.0}, "std must be"),
    ],
)
def test_bad_arguments_raise_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        monitor(**options)


class Emptying(Tiny):
    """Makes its images black in place, and takes them out of the batch."""

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        images = batch.pop("image")
        outputs = super().validation_step((images.clone(), batch["mask"]), batch_idx)
        images.zero_()
        return outputs


@pytest.mark.parametrize("options", [{}, {"model": "net"}])
def test_the_photo_is_that_from_before_the_step(tmp_path, options, monkeypatch):
    shown = []
    monkeypatch.setattr(
        "segiou.lightning.loggers.panel", lambda sample, *rest: shown.append(sample) or panel(sample, *rest)
    )
    data = [{"image": images, "mask": target} for images, target in loader(batch_size=7)]
    expected = Photo().shown(data[0]["image"].clone()).permute(0, 2, 3, 1)
    runner = trainer(monitor(samples="first", **options), logger=CSVLogger(tmp_path))
    runner.validate(Emptying(), DataLoader(data, batch_size=None), verbose=False)
    assert len(shown) == 4
    for sample, photo in zip(shown, expected, strict=False):
        assert torch.equal(torch.from_numpy(sample.photo), photo)
    assert not [name for name in vars(runner.strategy) if name.endswith("_step")], "the steps are left alone"


@pytest.mark.parametrize("options", [{}, {"exclude": 0}, {"absent_if": "union"}])
def test_images_are_ranked_as_in_the_report(options):
    """A class that is only predicted has no score in an image, unless it is asked for."""
    of_images = ImagewiseIoU(4, keep_images=True, **options)
    random = torch.Generator().manual_seed(0)
    target = torch.randint(0, 2, (12, 9, 7), generator=random)
    preds = torch.where(torch.rand(target.shape, generator=random) < 0.3, torch.randint(0, 4, target.shape), target)
    of_images.update(preds, target, ids=range(12))
    samples = SegmentationMonitor(4, samples=12, **options)._samples
    samples.start([MeanIoU(4, **options)])
    samples.update(0, preds, target, None)
    expected = [score for _, score in of_images.images().worst(12)]
    assert [sample.score for sample in samples.kept(0)] == pytest.approx(expected, abs=1e-6)


def test_two_monitors_that_write_the_same_report_raise_at_the_start(tmp_path):
    page = tmp_path / "report.html"
    runner = trainer(monitor(report=page), monitor(report=tmp_path / "." / "report.html", prefix="other/"))
    with pytest.raises(ValueError, match=r"two SegmentationMonitors of one trainer would both write report="):
        runner.test(Tiny(), loader(), verbose=False)
    assert not page.exists()
    trainer(monitor(report=page), monitor(report=tmp_path / "b.html", prefix="b/")).test(
        Tiny(), loader(), verbose=False
    )
    assert page.exists()
