"""The images that the monitor shows of each validation and test: what is kept of batches, with their photos."""

from collections.abc import Sequence
from typing import Any, Literal

from torchmetrics.utilities import rank_zero_warn

from segiou.environment.installed import installed
from segiou.labels.checks import Colour
from segiou.labels.class_names import palette_of
from segiou.lightning.batch_photos import TakenPhotos
from segiou.lightning.image_samples import Sample, Samples
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.report.pictures import colours

FIRST = 4  # images of samples="first"


class EpochSamples:
    """Keeps images of one epoch for each loader.

    Nothing here ends a training: a batch that cannot be shown is left out with one warning.

    Args:
        samples: how many of the worst images are kept, or "first" for the first four.
        num_classes: as the monitor takes it; a label set gives the colours.
        metric: how pixels are counted, and scores of one image averaged, which is as reports show them.

    Raises:
        ValueError: a number of samples below one, or a task without one class per pixel.
        ModuleNotFoundError: Pillow is not installed.
    """

    def __init__(self, samples: int | Literal["first"], num_classes: Any, metric: ConfusionMatrixMetric) -> None:
        number = FIRST if samples == "first" else samples
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError(f'samples must be a number of images, 1 or more, or "first", got {samples!r}')
        if metric.rules.task == "multilabel":
            raise ValueError("samples shows one class for each pixel, which multilabel tasks do not have: leave it out")
        if not installed("PIL"):
            raise ModuleNotFoundError('samples needs Pillow: pip install "segiou[report]"')
        self._number = number
        self._choice: Literal["worst", "first"] = "first" if samples == "first" else "worst"
        self.palette: Sequence[Colour] = palette_of(num_classes) or colours(len(metric.class_names))
        self._averaging = metric.averaging
        self._loaders: list[Samples] = []
        self._warned = False

    def start(self, metrics: Sequence[ConfusionMatrixMetric]) -> None:
        """Forget what was kept, and keep for loaders whose pixels these metrics count."""
        self._loaders = [Samples(metric, self._number, self._choice, self._averaging) for metric in metrics]

    def update(self, loader: int, preds: Any, target: Any, photos: TakenPhotos | None) -> None:
        """Keep what is to be kept of a batch; ``photos`` are of its images, or None."""
        try:
            self._loaders[loader].update(preds, target, photos)
        except Exception as error:  # a picture must not cost a training
            text = f"samples leaves out a batch that cannot be shown: {type(error).__name__}: {error}"
            if not self._warned:
                self._warned = True
                rank_zero_warn(f"SegmentationMonitor: {text}", UserWarning)

    def kept(self, loader: int) -> list[Sample]:
        """The images of all processes, each of which must call."""
        return self._loaders[loader].lowest()
