"""The report that the monitor writes after test."""

from os import PathLike
from pathlib import Path
from typing import Any

import torch

from segiou.labels.class_names import palette_of
from segiou.lightning.batch_photos import TakenPhotos
from segiou.lightning.epoch import Measures
from segiou.lightning.epoch_history import EpochHistory
from segiou.lightning.loggers import Result
from segiou.metrics.bootstrap import ConfidenceInterval
from segiou.metrics.imagewise import ImagewiseIoU
from segiou.metrics.per_image import Ids
from segiou.report import Report, write_report
from segiou.report.data import headline, interval_rule, intervals_of
from segiou.report.files import require_writable
from segiou.report.worst_images import WorstImages

WORST = 12  # images whose label maps are shown


class TestReport:
    """Collects the scores of single images while the monitor counts, and writes one page for each loader.

    Args:
        path: of the page; of several loaders each has its own, with ``_dataloader_idx_0`` and so on in its name.
        num_classes: as the monitor takes it; a label set gives the colours.
        kwargs: of ``ImagewiseIoU``.
    """

    __test__ = False  # it is no test, whatever its name

    def __init__(self, path: str | PathLike[str], num_classes: Any, **kwargs: Any) -> None:
        self.path = Path(path)
        self.palette = palette_of(num_classes)
        self._metric = ImagewiseIoU(num_classes, keep_images=True, **kwargs)
        self._loaders: list[WorstImages] = []

    def require_writable(self) -> None:
        """Raise OSError where the page could not be written."""
        require_writable(self.path)

    def require_different(self, other: "TestReport") -> None:
        """Raise ValueError where another monitor of the trainer would write the same page."""
        if self.path.resolve() == other.path.resolve():
            raise ValueError(
                f"two SegmentationMonitors of one trainer would both write report={str(self.path)!r}: give each a path "
                "of its own"
            )

    def start(self, loaders: int, device: torch.device) -> None:
        """Forget what was collected, and collect for so many loaders."""
        self._loaders = [WorstImages(self._metric.clone().to(device), WORST) for _ in range(loaders)]

    def update(self, loader: int, preds: Any, target: Any, ids: Ids | None, photos: TakenPhotos | None) -> None:
        """Score the images of a batch, of which there may be ``photos``."""
        self._loaders[loader].update(preds, target, ids, None if photos is None else photos.one)

    def shown(self, loader: int, measures: Measures) -> dict[str, Any]:
        """What the page shows beside the counts; every process must call, with synced measures."""
        single = self._loaders[loader]
        shown: dict[str, Any] = {"images": single.metric.images(), "image_metric": single.metric.metric}
        drawn = measures.alike(ConfidenceInterval)
        intervals = {name: interval for metric in drawn for name, interval in intervals_of(metric).items()}
        facts = {"Intervals": interval_rule(*drawn)} if drawn else {}
        return {**shown, "worst": single.lowest(), "confidence": intervals, "facts": facts}

    def write(self, result: Result, history: EpochHistory, trainer: Any, module: Any) -> None:
        """Write the page of one loader. Raises OSError."""
        suffix = result.suffix.replace("/", "_")
        shown = dict(result.shown or {})
        facts = {"Module": type(module).__name__, **shown.pop("facts")}
        facts |= {"Checkpoint": str(trainer.ckpt_path)} if trainer.ckpt_path else {}
        title = f"{type(module).__name__}, test{result.suffix.replace('/', ', ')}"
        taken = {*headline(result.metric), *shown["confidence"]}
        scores = {name: value for name, value in result.other.items() if "/" not in name and name not in taken}
        options = {"title": title, "palette": self.palette, "facts": facts, "scores": scores, **shown}
        report = Report.of(result.metric, result.counts, history=history.curves(), **options)
        write_report(report, self.path.with_stem(self.path.stem + suffix))
