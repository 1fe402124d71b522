"""The metrics: each is a formula and an average over the counts of ``ConfusionMatrixMetric``."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from torch import Tensor
from typing_extensions import Unpack

from segiou.argument_checks import number_in
from segiou.labels.class_names import NumClasses
from segiou.metrics.arguments import ClassMetricArguments, MatrixMetricArguments, ScoreMetricArguments
from segiou.metrics.drawing import results_over_time
from segiou.metrics.many_scores import ManyScoresMetric
from segiou.metrics.score_metric import ScoreMetric
from segiou.scoring import formulas
from segiou.scoring.averaging import Score
from segiou.scoring.class_scores import CLASS_SCORES
from segiou.scoring.formulas import Areas


class MeanIoU(ScoreMetric):
    """Mean intersection over union, from the counts of the whole data set: TP / (TP + FP + FN).

    The mean is over the classes that are present. One metric object must not be shared by train and val, or by two
    data loaders: their counts would be added together. Make one metric for each.

    Source: Everingham et al. 2010, "The Pascal Visual Object Classes (VOC) Challenge", section 4.1.3.

    >>> import torch
    >>> from segiou import MeanIoU
    >>> metric = MeanIoU(num_classes=3, ignore_index=255)
    >>> metric.update(torch.tensor([[0, 1, 1, 2]]), torch.tensor([[0, 1, 2, 255]]))
    >>> metric.compute()
    tensor(0.5000)
    >>> MeanIoU(num_classes=3, average="none")(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 1]]))
    tensor([1., 1., nan])
    """

    score = CLASS_SCORES["IoU"]


class Dice(ScoreMetric):
    """Dice coefficient, the F1 score of pixels: 2 TP / (2 TP + FP + FN), averaged over classes.

    Source: Dice 1945, "Measures of the amount of ecologic association between species".

    >>> import torch
    >>> from segiou import Dice
    >>> scores = torch.tensor([[0.9, 0.2, 0.7, 0.1]])
    >>> Dice(task="binary")(scores, torch.tensor([[1, 1, 1, 0]]))
    tensor(0.8000)
    """

    score = CLASS_SCORES["Dice"]


class Precision(ScoreMetric):
    """Share of the pixels predicted as a class that are of it: TP / (TP + FP), averaged over classes.

    A class that is never predicted has no precision: nan, left out of the mean; ``absent=0.0`` counts it
    as 0. Source: van Rijsbergen 1979, "Information Retrieval", chapter 7.

    >>> import torch
    >>> from segiou import Precision
    >>> Precision(num_classes=2)(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]]))
    tensor(0.7500)
    """

    score = CLASS_SCORES["Precision"]


class Recall(ScoreMetric):
    """Share of the pixels of a class that are predicted as it: TP / (TP + FN), averaged over classes.

    A class without target pixels has no recall: nan, left out of the mean. Source: van Rijsbergen 1979,
    "Information Retrieval", chapter 7.

    >>> import torch
    >>> from segiou import Recall
    >>> Recall(num_classes=2, average="none")(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]]))
    tensor([0.5000, 1.0000])
    """

    score = CLASS_SCORES["Recall"]


class FBeta(ScoreMetric):
    """Precision and recall in one, recall weighted ``beta`` times as much: (1 + b^2) TP / (b^2 G + P).

    Args:
        num_classes: the number of classes, or a label set.
        beta: 0 is precision, 1 is Dice, towards infinity it is recall.

    Raises:
        ValueError: a ``beta`` outside 0 to 1e9, and what that raises.

    Source: van Rijsbergen 1979, "Information Retrieval", chapter 7.

    >>> import torch
    >>> from segiou import FBeta
    >>> FBeta(num_classes=2, beta=2.0)(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]]))
    tensor(0.6944)
    """

    score = Score("FBeta", formulas.fbeta)

    def __init__(
        self, num_classes: NumClasses = None, *, beta: float = 1.0, **kwargs: Unpack[ScoreMetricArguments]
    ) -> None:
        super().__init__(num_classes, **kwargs)
        self.score = _fbeta(beta)
        self.beta = float(beta)

    def state_text_of_its_own(self) -> list[str]:
        """See ``ConfusionMatrixMetric.state_text``."""
        return [f"beta={self.beta}"]


def _fbeta(beta: float) -> Score:
    beta = number_in("beta", beta, "a number between 0 and 1e9", 0, 1e9)
    return replace(FBeta.score, formula=partial(formulas.fbeta, beta=beta))


class MeanAccuracy(ScoreMetric):
    """Mean over classes of the share of their pixels that are right; "mAcc". For binary, over both classes.

    Source: Long, Shelhamer, Darrell 2015, "Fully Convolutional Networks for Semantic Segmentation",
    section 5.

    >>> import torch
    >>> from segiou import MeanAccuracy
    >>> MeanAccuracy(num_classes=2)(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]]))
    tensor(0.7500)
    """

    score = Score("MeanAccuracy", formulas.recall, background=True)


class FrequencyWeightedIoU(ScoreMetric):
    """IoU averaged with the target pixels of the classes as weights; "fwIoU". For binary, over both classes.

    Source: Long, Shelhamer, Darrell 2015, "Fully Convolutional Networks for Semantic Segmentation",
    section 5.

    >>> import torch
    >>> from segiou import FrequencyWeightedIoU
    >>> FrequencyWeightedIoU(num_classes=2)(torch.tensor([[0, 1, 1, 0]]), torch.tensor([[0, 1, 0, 0]]))
    tensor(0.6250)
    """

    score = Score("FrequencyWeightedIoU", formulas.iou, average="weighted", background=True)

    def __init__(self, num_classes: NumClasses = None, **kwargs: Unpack[ClassMetricArguments]) -> None:
        super().__init__(num_classes, **kwargs)


class MatrixScore(ScoreMetric):
    """A score of the matrix as a whole: it takes no ``average`` and no ``exclude``."""

    of_matrix = True

    def __init__(self, num_classes: NumClasses = None, **kwargs: Unpack[MatrixMetricArguments]) -> None:
        super().__init__(num_classes, **kwargs)


class PixelAccuracy(MatrixScore):
    """Share of all counted pixels that are right; "aAcc". For multilabel, its mean over labels.

    Source: Long, Shelhamer, Darrell 2015, "Fully Convolutional Networks for Semantic Segmentation",
    section 5.

    >>> import torch
    >>> from segiou import PixelAccuracy
    >>> PixelAccuracy(num_classes=2)(torch.tensor([[0, 1, 1, 0]]), torch.tensor([[0, 1, 0, 0]]))
    tensor(0.7500)
    """

    score = Score("PixelAccuracy", formulas.pixel_accuracy, average=None)


class CohenKappa(MatrixScore):
    """Agreement of prediction and target beyond chance. For multilabel, its mean over labels.

    Source: Cohen 1960, "A Coefficient of Agreement for Nominal Scales".

    >>> import torch
    >>> from segiou import CohenKappa
    >>> CohenKappa(num_classes=2)(torch.tensor([[0, 1, 1, 0]]), torch.tensor([[0, 1, 0, 0]]))
    tensor(0.5000)
    """

    score = Score("CohenKappa", formulas.cohen_kappa, average=None)
    plot_lower_bound = -1.0


class MatthewsCorrCoef(MatrixScore):
    """Matthews' correlation of prediction and target, for any number of classes. For multilabel, its mean over labels.

    Source: Gorodkin 2004, "Comparing two K-category assignments by a K-category correlation coefficient",
    equation 8.

    >>> import torch
    >>> from segiou import MatthewsCorrCoef
    >>> MatthewsCorrCoef(num_classes=2)(torch.tensor([[0, 1, 1, 0]]), torch.tensor([[0, 1, 0, 0]]))
    tensor(0.5774)
    """

    score = Score("MatthewsCorrCoef", formulas.matthews_corrcoef, average=None)
    plot_lower_bound = -1.0


class SegmentationMetrics(ManyScoresMetric):
    """All scores from one state: one counting for each batch, one all-reduce for all of them.

    ``compute()`` gives a dict of float32 scalars for ``log_dict``: mIoU, Dice, Precision, Recall, FBeta,
    MeanAccuracy, FrequencyWeightedIoU, PixelAccuracy, CohenKappa and MatthewsCorrCoef, each with its own
    average.

    Args:
        num_classes: the number of classes, or a label set.
        per_class: add the IoU of each class as ``IoU/<name>``.
        beta: of FBeta.
        prefix: put before every key, such as "val/".
        exclude: ids or names of classes (of groups, where there are) that are left out of the averages over
            classes, their pixels still counted. PixelAccuracy, CohenKappa and MatthewsCorrCoef are scores of the
            whole matrix and do not depend on it.

    >>> import torch
    >>> from segiou import SegmentationMetrics
    >>> metrics = SegmentationMetrics(num_classes=2, per_class=True, class_names=["road", "car"])
    >>> scores = metrics(torch.tensor([[0, 1, 1, 0]]), torch.tensor([[0, 1, 0, 0]]))
    >>> scores["mIoU"], scores["IoU/car"]
    (tensor(0.5833), tensor(0.5000))
    """

    of_matrix = True
    scores: ClassVar[tuple[Score, ...]] = (
        MeanIoU.score,
        Dice.score,
        Precision.score,
        Recall.score,
        FBeta.score,
        MeanAccuracy.score,
        FrequencyWeightedIoU.score,
        PixelAccuracy.score,
        CohenKappa.score,
        MatthewsCorrCoef.score,
    )

    def __init__(
        self,
        num_classes: NumClasses = None,
        *,
        per_class: bool = False,
        beta: float = 1.0,
        prefix: str = "",
        **kwargs: Unpack[ClassMetricArguments],
    ) -> None:
        super().__init__(num_classes, **kwargs)
        self.per_class = per_class
        self.prefix = prefix
        self.beta = float(beta)
        self._scores = tuple(_fbeta(beta) if score is FBeta.score else score for score in self.scores)
        self.beta = float(beta)

    def class_scores(self) -> tuple[Mapping[str, Score], Sequence[Score]]:
        """IoU, Dice, precision and recall, FBeta where it is not Dice, and the scores of the whole data set."""
        own = {score.key: score for score in self._scores if score not in CLASS_SCORES.values()}
        fbeta = own.pop(FBeta.score.key)
        columns = CLASS_SCORES if self.beta == 1 else {**CLASS_SCORES, fbeta.key: fbeta}
        return columns, tuple(own.values())

    def value_of_areas(self, areas: Areas) -> dict[str, Tensor]:
        """Every score by its name."""
        values = {score.key: score(areas, self.averaging) for score in self._scores}
        if self.per_class:
            iou = MeanIoU.score.per_class(areas, self.averaging)
            values |= {f"IoU/{name}": value for name, value in zip(self.classes.scored, iou.unbind(-1), strict=True)}
        return {f"{self.prefix}{key}": value for key, value in values.items()}

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot the scores as bars, or a list of results over time; see ``MeanIoU.plot``."""
        if isinstance(val, Sequence):
            return results_over_time(val, "score", (), ax)
        from segiou.plots import bars

        values = self.compute() if val is None else val
        return bars([float(value) for value in values.values()], list(values), "score", None, ax)
