"""A paired comparison of two models by the bootstrap over images: both are scored on the same replicates."""

from typing import TYPE_CHECKING, Any, cast, overload

import torch
from torch import Tensor
from typing_extensions import Unpack

from segiou.counting.torch_compile import uncompiled
from segiou.metrics.arguments import BootstrapArguments
from segiou.metrics.bootstrap import Bootstrapped
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.given_counts import GivenCounts
from segiou.metrics.intervals import Comparison, differences, of_each_name
from segiou.metrics.per_image import Ids
from segiou.metrics.signed_metric import Value


class PairedComparison(Bootstrapped[Value]):
    """Two models on the same images: the difference of their scores, with its interval.

    Every replicate takes the same images for both, so what is hard for both does not widen the interval.

    ``compute()`` gives a ``Comparison``: ``a``, ``b``, ``difference`` (b - a) and its ``p_value``.

    >>> import torch
    >>> from segiou import MeanIoU, PairedComparison
    >>> metric = PairedComparison(MeanIoU(num_classes=2))
    >>> rng = torch.Generator().manual_seed(0)
    >>> target = torch.randint(0, 2, (50, 8, 8), generator=rng)
    >>> worse, better = (torch.where(torch.rand(50, 8, 8, generator=rng) < p, 1 - target, target) for p in (0.2, 0.1))
    >>> metric.update(worse, better, target)
    >>> result = metric.compute()
    >>> bool(result.difference.low > 0), round(float(result.difference.value), 2)
    (True, 0.16)
    """

    models = 2

    if TYPE_CHECKING:  # an editor then completes the names of the value

        @overload
        def __init__(
            self: "PairedComparison[Comparison]",
            metric: ConfusionMatrixMetric[Tensor],
            **kwargs: Unpack[BootstrapArguments],
        ) -> None: ...

        @overload
        def __init__(
            self: "PairedComparison[dict[str, Comparison]]",
            metric: ConfusionMatrixMetric[dict[str, Tensor]],
            **kwargs: Unpack[BootstrapArguments],
        ) -> None: ...

        def __init__(self, metric: Any, **kwargs: Any) -> None: ...

    def update(self, preds_a: Any, preds_b: Any, target: Any, ids: Ids | None = None) -> None:
        """Count one batch of N images, predicted by both models.

        Args:
            preds_a: predictions of the first model, as ``MeanIoU.update`` takes them.
            preds_b: of the second.
            target: the labels of both.
            ids: an int or str for each image.

        Raises:
            ValueError: input that does not fit, a wrong number of ids.
            TypeError: ids that are no ints or strings.
        """
        super().update(preds_a, preds_b, target, ids)

    def update_confmat(self, confmat_a: Any, confmat_b: Any, ids: Ids | None = None) -> None:
        """Add the confusion matrices of N images by both models, ``(N, C, C)``; see ``ImagewiseIoU.update_confmat``."""
        self.update(GivenCounts(confmat_a), GivenCounts(confmat_b), None, ids)

    def batch_states(self, preds_a: Any, preds_b: Any, target: Any, ids: Ids | None = None) -> dict[str, Any]:
        """The sums of one batch."""
        return self.summed([preds_a, preds_b], target, ids)

    @uncompiled
    def compute(self) -> Value:
        """Both scores and their difference, over all images and processes; a dict where the metric gives one."""
        spread = self.spread()
        return cast(Value, of_each_name(lambda a, b: self._compared(a, b, spread), self.values(0), self.values(1)))

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot the difference with its interval, or those of each class; returns what ``MeanIoU.plot`` does."""
        return self.drawn(differences(self.compute() if val is None else val), f"{self.key}, b - a", ax)

    def _compared(self, a: Tensor, b: Tensor, spread: bool) -> Comparison:
        difference = b - a
        drawn = difference[1:]
        found = (~drawn.isnan()).sum(0)
        sides = torch.minimum((drawn <= 0).sum(0), (drawn >= 0).sum(0))
        p_value = (2 * (sides + 1) / (found + 1)).clamp(max=1)
        p_value = p_value.clamp(min=2.0 ** (1 - int(self.images[0])))  # no exact test of signs could say less
        p_value = p_value.masked_fill(difference[0].isnan() | (not spread), torch.nan)
        of_a, of_b, between = (self.interval(values, spread) for values in (a, b, difference))
        return Comparison(of_a, of_b, between, p_value)
