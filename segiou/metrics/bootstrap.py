"""Confidence intervals of data set scores by the bootstrap over images.

Every replicate of the data set is a sum of the areas of its images, each taken a random number of times, so the
state is R sums: it grows with neither images nor pixels, and is reduced with one all-reduce. Source of the
percentile interval: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
"""

from typing import TYPE_CHECKING, Any, cast, overload

import torch
from torch import Tensor
from torch.distributed import get_rank, is_available, is_initialized
from torchmetrics import Metric
from torchmetrics.utilities import rank_zero_warn
from typing_extensions import Unpack

from segiou.argument_checks import integer, number_in
from segiou.counting.torch_compile import uncompiled
from segiou.metrics.arguments import BootstrapArguments, TorchmetricsArguments
from segiou.metrics.base_metric import Value
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.given_counts import GivenCounts
from segiou.metrics.intervals import Interval, interval_rows, of_each_name
from segiou.metrics.per_image import Ids, PerImageMetric, areas_from, checked_ids
from segiou.metrics.poisson_weights import key_of, poisson_weights
from segiou.metrics.synced_metrics import synced_as_computed
from segiou.scoring.class_table import ClassTable


class Bootstrapped(PerImageMetric[Value]):
    """The areas of the data set and of R replicates of it, for one model or for several on the same images.

    Args:
        metric: any metric that follows from areas, such as ``MeanIoU(21)`` or ``SegmentationMetrics(21)``.
        level: the probability with which intervals hold the score of the population.
        replicates: R, how many data sets are drawn; at least 100.
        seed: of the draws.
    """

    models = 1
    images: Tensor

    def __init__(
        self,
        metric: ConfusionMatrixMetric,
        *,
        level: float = 0.95,
        replicates: int = 1000,
        seed: int = 0,
        **kwargs: Unpack[TorchmetricsArguments],
    ) -> None:
        super().__init__(metric, **kwargs)
        self.level = number_in("level", level, "a probability between 0.5 and 0.999", 0.5, 0.999)
        self.replicates = integer("replicates", replicates)
        self.seed = integer("seed", seed)
        if self.replicates < 100:
            raise ValueError(f"replicates must be at least 100, got {replicates!r}")
        self._sums_name = f"replicates_{self.replicates}_seed{self.seed}_{self.identity}".replace("-", "m")
        shape = (self.models, 1 + self.replicates, *self.area_shape)
        self.add_state(self._sums_name, torch.zeros(shape, dtype=torch.int64), "sum")
        self.add_state("images", torch.zeros(2, dtype=torch.int64), "sum")  # all, and those without an id

    def summed(self, preds: list[Any], target: Any, ids: Ids | None) -> dict[str, Tensor]:
        """What a batch adds to the states, for the predictions of each model."""
        counted = [self.areas_of_images(of_model, target) for of_model in preds]
        if len({len(areas) for areas, _ in counted}) > 1:
            numbers = " and ".join(str(len(areas)) for areas, _ in counted)
            raise ValueError(f"both models must be scored on the same images, got {numbers} of them")
        areas = torch.stack([areas for areas, _ in counted])
        weights = self._weights(areas.shape[1], ids)
        # float64 holds these products exactly, and is summed much faster than int64; not every device has it
        flat = areas.to(weights.device).flatten(2).double()
        sums = (weights @ flat).to(torch.int64).view(len(preds), -1, *self.area_shape).to(areas.device)
        errors = torch.stack([errors for _, errors in counted]).sum(0)
        images = torch.full_like(self.images, areas.shape[1])
        return {
            self._sums_name: sums,
            "images": images if ids is None else images * images.new_tensor([1, 0]),
            "errors": errors,
        }

    def _weights(self, images: int, ids: Ids | None) -> Tensor:
        """How often each image is in each replicate, and once in the data itself: float64 ``(1 + R, N)``."""
        device = torch.device("cpu") if self.images.device.type == "mps" else self.images.device
        if ids is None:
            rank = get_rank() if is_available() and is_initialized() else 0
            keys = (rank << 40) + self.images[1].to(device) + torch.arange(images, device=device)
        else:
            keys = torch.tensor([key_of(name) for name in checked_ids(ids, images)], dtype=torch.int64, device=device)
        drawn = poisson_weights(keys, self.replicates, self.seed)
        return torch.cat([torch.ones_like(drawn[:1]), drawn]).double()

    def merge_state(self, incoming_state: dict[str, Any] | Metric) -> None:
        """Add the states of another; not where both counted images without ids, for their draws would coincide."""
        states = incoming_state.metric_state if isinstance(incoming_state, Metric) else incoming_state
        if isinstance(states, dict) and "images" in states and int(self.images[1]) and int(states["images"][1]):
            raise ValueError(
                "merge_state: both metrics counted images without ids, and would draw the same ones together: pass ids"
            )
        super().merge_state(incoming_state)

    def values(self, model: int) -> Any:
        """The score of the data and of each replicate, ``(1 + R,)`` or ``(1 + R, C)``, or a dict of them."""
        return self.metric.value_of_areas(areas_from(getattr(self, self._sums_name)[model], 1))

    def interval(self, values: Tensor, spread: bool = True) -> Interval:
        """The first value, between quantiles of the others; nan where they do not ``spread``."""
        tail = (1 - self.level) / 2
        tails = torch.tensor([tail, 1 - tail], dtype=values.dtype, device=values.device)
        low, high = torch.nanquantile(values[1:], tails, dim=0)
        if not spread:
            low = high = torch.full_like(low, torch.nan)
        return Interval(values[0], low, high)

    def drawn(self, found: Any, label: str, ax: Any) -> Any:
        """Intervals as points with whiskers: one, those of a dict, or several of either over time."""
        from segiou.plots import intervals

        of = "" if isinstance(found, dict) else f"{label}, "
        rows = interval_rows("", found, self.metric.classes.scored)
        return intervals({name or label: row for name, row in rows.items()}, f"{of}{100 * self.level:g} % interval", ax)

    def spread(self) -> bool:
        """Whether replicates differ as data sets do; else a warning. Raises for bad labels.

        Where fewer than two images, or ids, hold pixels that count, every replicate is a multiple of the data.
        """
        self.metric.check(self.errors)
        sums = getattr(self, self._sums_name).flatten(2)
        data, drawn = sums[:, :1], sums[:, 1:]
        times = drawn.sum(-1, keepdim=True) // data.sum(-1, keepdim=True).clamp(min=1)
        if bool((drawn != times * data).any()):
            return True
        images = int(self.images[0])
        alike = " of one id, or of which at most one has pixels that count" if images > 1 else ""
        rank_zero_warn(f"an interval needs two images or more, got {images}{alike}: its bounds are nan", UserWarning)
        return False


class ConfidenceInterval(Bootstrapped[Value]):
    """A score of the data set with its confidence interval over images.

    ``compute()`` gives an ``Interval``: the value, low and high; a dict of them where the metric gives a dict. With
    ids in ``update`` it does not depend on the batch size, the order or the number of processes; without, an
    image is known by its place in the process. The images are taken to be independent: give frames of one
    video, or slices of one patient, the id of the video or patient, so that they are drawn together. A bootstrap of
    fewer than about 50 images gives intervals that are too narrow.

    Raises:
        TypeError: ``metric`` is none, or has no areas.
        ValueError: arguments out of range.

    >>> import torch
    >>> from segiou import ConfidenceInterval, MeanIoU
    >>> metric = ConfidenceInterval(MeanIoU(num_classes=2), level=0.9)
    >>> rng = torch.Generator().manual_seed(0)
    >>> target = torch.randint(0, 2, (50, 8, 8), generator=rng)
    >>> preds = torch.where(torch.rand(50, 8, 8, generator=rng) < 0.2, 1 - target, target)
    >>> metric.update(preds, target, ids=range(50))
    >>> interval = metric.compute()
    >>> [round(float(x), 2) for x in interval]
    [0.66, 0.64, 0.68]
    """

    if TYPE_CHECKING:  # an editor then completes the names of the value

        @overload
        def __init__(
            self: "ConfidenceInterval[Interval]",
            metric: ConfusionMatrixMetric[Tensor],
            **kwargs: Unpack[BootstrapArguments],
        ) -> None: ...

        @overload
        def __init__(
            self: "ConfidenceInterval[dict[str, Interval]]",
            metric: ConfusionMatrixMetric[dict[str, Tensor]],
            **kwargs: Unpack[BootstrapArguments],
        ) -> None: ...

        def __init__(self, metric: Any, **kwargs: Any) -> None: ...

    def update(self, preds: Any, target: Any, ids: Ids | None = None) -> None:
        """Count one batch of N images.

        Args:
            preds: as ``MeanIoU.update`` takes them.
            target: likewise.
            ids: an int or str for each image.

        Raises:
            ValueError: input that does not fit, a wrong number of ids.
            TypeError: ids that are no ints or strings.
        """
        super().update(preds, target, ids)

    def update_confmat(self, confmat: Any, ids: Ids | None = None) -> None:
        """Add the confusion matrices of N images, ``(N, C, C)``; see ``ImagewiseIoU.update_confmat``."""
        self.update(GivenCounts(confmat), None, ids)

    def batch_states(self, preds: Any, target: Any, ids: Ids | None = None) -> dict[str, Any]:
        """The sums of one batch."""
        return self.summed([preds], target, ids)

    @uncompiled
    def compute(self) -> Value:
        """The value with its interval, over all images and processes; a dict where the metric gives one."""
        spread = self.spread()
        return cast(Value, of_each_name(lambda values: self.interval(values, spread), self.values(0)))

    @uncompiled
    def table(self, *, percent: bool = False, digits: int | None = None) -> ClassTable:
        """The scores of each class and their averages, all with their intervals; see ``MeanIoU.table``."""
        with synced_as_computed(self):
            spread, sums = self.spread(), getattr(self, self._sums_name)[0]
        shown = {"level": self.level, "percent": percent, "digits": digits}
        return self.metric.table_of_areas(
            areas_from(sums, 1), bounds=lambda values: self.interval(values, spread), **shown
        )

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot the value and its interval, or those of each class; returns what ``MeanIoU.plot`` does."""
        return self.drawn(self.compute() if val is None else val, self.key, ax)
