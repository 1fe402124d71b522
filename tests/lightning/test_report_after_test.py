"""The report that the monitor writes after test."""

import base64
import io
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image

from segiou import ConfidenceInterval, FBeta, Imagewise, ImagewiseIoU, MeanIoU
from segiou.lightning import SegmentationMonitor
from segiou.report.meanings import meaning
from segiou.report.worst_images import WorstImages
from tests.helpers import oracle
from tests.helpers.lightning_cases import (
    CLASSES,
    IGNORED,
    NAMES,
    OF_LIGHTNING,
    PACKAGES,
    Tiny,
    TinyOfLightning,
    loader,
    trainer,
)
from tests.helpers.lightning_ddp_cases import Summed
from tests.helpers.report_cases import Page

pytestmark = OF_LIGHTNING


def monitor(path: Path, **options: Any) -> SegmentationMonitor:
    return SegmentationMonitor(CLASSES, ignore_index=IGNORED, **{"class_names": NAMES, "report": path, **options})


def ran(path: Path, module: Any = None, loaders: Any = None, **options: Any) -> Any:
    module = module or Tiny()
    trainer(monitor(path, **options)).test(module, loaders or loader(7), verbose=False)
    return module


def image_scores(module: Any) -> list[float]:
    """The IoU of each image by plain loops, over the classes of its target."""
    scores = []
    for outputs, target in module.seen["test", 0].values():
        for image, labels in zip(outputs, target, strict=True):
            counts = oracle.matrix(oracle.argmax(image[None]), oracle.pixels(labels), CLASSES, (IGNORED,))
            present = [c for c in range(CLASSES) if sum(counts[c])]
            of_classes = [oracle.iou(*oracle.class_areas(counts, c)) for c in present]
            scores.append(float(sum(of_classes) / len(of_classes)))
    return scores


@pytest.mark.parametrize(("package", "module"), list(zip(PACKAGES, (Tiny, TinyOfLightning), strict=True)))
def test_the_report_is_written_after_test(tmp_path, package, module):
    path = tmp_path / "report.html"
    tester, model = trainer(monitor(path), package=package), module()
    tester.fit(model, loader(4), loader(4))
    assert not path.exists()
    tester.test(model, loader(7), verbose=False)
    page = Page(path.read_text())
    assert f"mIoU {meaning('mIoU')} {model.naive('test')['mIoU']:.4f}" in page.text
    assert f"Dice {meaning('Dice')} {model.naive('test')['Dice']:.4f}" in page.text
    assert [row[1] for row in page.tables["class-table"][1:-1]] == list(NAMES)
    assert f"{module.__name__}, test" in page.text


def test_every_image_has_its_score(tmp_path):
    scores = image_scores(ran(tmp_path / "report.html"))
    page = Page((tmp_path / "report.html").read_text())
    order = sorted(range(7), key=lambda place: scores[place])
    assert [row[0] for row in page.tables["image-table"][1:]] == [f"image {place}" for place in order]
    assert [row[1] for row in page.tables["image-table"][1:]] == [f"{scores[place]:.4f}" for place in order]
    assert re.findall("<figcaption><h3>(.*?)</h3>", (tmp_path / "report.html").read_text()) == [
        f"image {place}" for place in order
    ]


def test_images_are_called_by_their_ids(tmp_path):
    ran(tmp_path / "report.html", Summed())
    names = {row[0] for row in Page((tmp_path / "report.html").read_text()).tables["image-table"][1:]}
    assert names == {f"{float(image.sum()):.4f}" for batch in loader(7) for image in batch[0]}


def test_each_loader_has_its_page(tmp_path):
    ran(tmp_path / "report.html", loaders=[loader(7), loader(5)])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "report_dataloader_idx_0.html",
        "report_dataloader_idx_1.html",
    ]
    for number, path in zip((7, 5), sorted(tmp_path.iterdir()), strict=True):
        assert f"{number} of {number} images have a score." in Page(path.read_text()).text


def test_intervals_and_other_metrics_are_shown(tmp_path):
    rules: dict[str, Any] = {"num_classes": CLASSES, "ignore_index": IGNORED}
    drawn = ConfidenceInterval(MeanIoU(**rules), replicates=100)
    other = ConfidenceInterval(MeanIoU(**rules, exclude=[0]), replicates=100)
    beta = ConfidenceInterval(FBeta(**rules, beta=0.5), replicates=200, seed=3)
    metrics = {"": drawn, "F2": FBeta(**rules, beta=2), "without ground": other, "FBeta": beta}
    model = ran(tmp_path / "report.html", metrics=metrics)
    f2 = FBeta(**rules, beta=2)
    for scores, target in model.seen["test", 0].values():
        drawn.update(scores, target)
        f2.update(scores, target)
        beta.update(scores, target)
    value, low, high = map(float, drawn.compute())
    text = Page((tmp_path / "report.html").read_text()).text
    assert f"mIoU {meaning('mIoU')} {value:.4f} {low:.4f} to {high:.4f}" in text
    assert f"F2 {float(f2.compute()):.4f}" in text
    rule = "95 % percentile bootstrap over 7 images"
    more = "replicates of Poisson weights, seed"
    few = "intervals of fewer than about 50 images are too narrow"
    assert f"{rule}, 100 {more} 0; {rule}, 200 {more} 3; {few}" in text
    value, low, high = map(float, beta.compute())
    assert f"FBeta {meaning('FBeta')} {value:.4f} {low:.4f} to {high:.4f}" in text


def test_a_label_set_gives_the_colours(tmp_path):
    path = tmp_path / "report.html"
    labels = SegmentationMonitor("cityscapes", report=path, outputs=lambda o, _: (o["preds"].argmax(1), o["target"]))
    trainer(labels).test(Tiny(), loader(2), verbose=False)
    named = re.findall(r'style="background:(#\w+)"></i><\w+[^>]*>([\w ]+)<', path.read_text())
    assert [colour for colour, name in named if name == "road"] == ["#804080"]
    assert [colour for colour, name in named if name == "sidewalk"] == ["#f423e8"]


def test_a_folder_that_does_not_exist_stops_the_run_before_it_starts(tmp_path):
    model = Tiny()
    for run, loaders in (("fit", (loader(2), loader(2))), ("test", (loader(2),))):
        with pytest.raises(FileNotFoundError, match="the folder of the file to write must exist: make it first"):
            getattr(trainer(monitor(tmp_path / "none" / "report.html")), run)(model, *loaders)
    assert not model.seen


def test_arguments_that_do_not_fit_are_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"report='a.html' is written after test, which stages=\('val',\) leave out"):
        monitor(Path("a.html"), stages="val")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=re.escape('report needs Jinja2: pip install "segiou[report]"')):
        monitor(tmp_path / "a.html", figure=False)


def test_multilabel_has_scores_of_images_without_maps(tmp_path):
    class Labels(pl.LightningModule):
        def test_step(self, batch: Any, batch_idx: int) -> Any:
            return {"preds": batch, "target": (batch > 0.4).long()}

    path = tmp_path / "report.html"
    data = torch.utils.data.DataLoader(torch.rand(3, 2, 4, 4), 2)
    trainer(SegmentationMonitor(task="multilabel", num_labels=2, report=path)).test(Labels(), data, verbose=False)
    assert "3 of 3 images have a score." in Page(path.read_text()).text
    assert "<figure" not in path.read_text()


# ---- what is kept


def test_the_lowest_are_kept_whatever_the_batches(tmp_path):
    random = torch.Generator().manual_seed(0)
    target = torch.randint(0, 3, (20, 4, 5), generator=random)
    preds = torch.where(torch.rand(target.shape, generator=random) < 0.5, target, 2 - target)
    names = [f"{place}.png" for place in range(20)]
    for size in (1, 7, 20):
        kept = WorstImages(ImagewiseIoU(3, keep_images=True), 4)
        for first in range(0, 20, size):
            part = slice(first, first + size)
            kept.update(preds[part], target[part], names[part])
        kept.update(preds[:5], target[:5], names[:5])  # seen before
        expected = kept.metric.images().worst(4)
        found = kept.lowest()
        assert [image.score for image in found] == [score for _, score in expected]
        for image in found:
            place = names.index(image.name)
            assert np.array_equal(image.prediction, preds[place])
            assert np.array_equal(image.label, target[place])
            assert image.label.dtype == np.uint8


def test_ignored_values_of_any_size_are_kept():
    kept = WorstImages(ImagewiseIoU(2, ignore_index=-100, keep_images=True), 1)
    kept.update(torch.zeros(1, 2, 2, dtype=torch.long), torch.tensor([[[0, 1], [1, -100]]]))
    assert kept.lowest()[0].label.tolist() == [[0, 1], [1, -100]]
    assert kept.lowest()[0].name == "image 0"


def test_what_is_kept_is_not_the_batch_itself():
    kept = WorstImages(ImagewiseIoU(2, keep_images=True), 1)
    preds, target = torch.zeros(1, 2, 2, dtype=torch.uint8), torch.ones(1, 2, 2, dtype=torch.uint8)
    kept.update(preds, target)
    preds += 1
    target -= 1
    assert kept.lowest()[0].prediction.max() == 0
    assert kept.lowest()[0].label.min() == 1


def test_volumes_and_images_without_a_score_have_no_maps():
    kept = WorstImages(ImagewiseIoU(2, ignore_index=9, keep_images=True), 3)
    kept.update(torch.zeros(1, 2, 2, 2, dtype=torch.long), torch.ones(1, 2, 2, 2, dtype=torch.long))
    kept.update(torch.zeros(1, 2, 2, dtype=torch.long), torch.full((1, 2, 2), 9))
    assert kept.lowest() == []
    assert len(kept.metric.images().ids) == 2


def test_other_scores_are_kept_by(tmp_path):
    kept = WorstImages(Imagewise(FBeta(2, beta=2), keep_images=True), 1)
    kept.update([torch.rand(2, 3, 3), torch.rand(2, 4, 4)], [torch.ones(3, 3).long(), torch.ones(4, 4).long()])
    assert kept.lowest()[0].score == pytest.approx(float(kept.metric.images().values.min()))


class Photographed(Tiny):
    """Its test step blackens the photos, as some transforms write into their batch."""

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Any:
        found = super().test_step(batch, batch_idx, dataloader_idx)
        batch[0].zero_()
        return found


def test_photos_of_the_worst_images_and_scores_over_epochs_are_shown(tmp_path):
    path = tmp_path / "report.html"
    tester, model = (
        trainer(monitor(path, image=0, mean=[0.0], std=[1.0], bands=[0, 0, 0]), max_epochs=2),
        Photographed(),
    )
    tester.fit(model, loader(4), loader(4))
    values = model.naive("val")
    tester.test(model, loader(7), verbose=False)
    html = path.read_text()
    photos = re.findall(r"data:image/jpeg;base64,([\w+/=]+)", html)
    assert len(photos) == 7
    bright = [np.asarray(Image.open(io.BytesIO(base64.b64decode(photo)))).mean() for photo in photos]
    assert min(bright) > 20
    curve = Page(html).text
    assert "Scores over epochs" in curve
    for name in ("train mIoU", "train Dice", "val mIoU", "val Dice", *(f"IoU/{name}" for name in NAMES)):
        assert name in curve
    assert f"{values['mIoU']:.4f}" in curve[curve.index("val mIoU") :][:200]


def test_a_report_that_cannot_be_written_costs_no_scores(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()

    class Removes(Tiny):
        def on_test_epoch_end(self) -> None:
            folder.rmdir()

    run = trainer(SegmentationMonitor(CLASSES, ignore_index=IGNORED, report=folder / "report.html"))
    with pytest.warns(UserWarning, match="the report could not be written"):
        (scores,) = run.test(Removes(), loader(), verbose=False)
    assert "test/mIoU" in scores


def test_a_report_without_photos_warns_of_nothing(tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        path = tmp_path / "report.html"
        trainer(monitor(path)).test(Tiny(), loader(3), verbose=False)
    assert not [each for each in caught if "photo" in str(each.message)]
    assert path.exists()
