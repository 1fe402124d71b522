"""The generalized Dice score: one score of all classes, in which small classes weigh as much as large ones."""

from dataclasses import replace
from functools import partial
from typing import Any, get_args

from typing_extensions import Unpack

from segiou.labels.class_names import NumClasses
from segiou.metrics.arguments import ClassMetricArguments
from segiou.metrics.score_metric import ScoreMetric
from segiou.scoring import formulas
from segiou.scoring.averaging import Score
from segiou.scoring.formulas import WeightType


class GeneralizedDice(ScoreMetric):
    """Generalized Dice score: 2 sum(w TP) / sum(w (P + G)), with a weight w for each class.

    It is of the counts of the whole data set; ``Imagewise(GeneralizedDice(21))`` is the mean over images. A class
    without target pixels has the largest weight of those that have some, so that its false alarms count. The score is
    nan where no class is in target or prediction. For a binary task it is over both classes.

    Args:
        num_classes: the number of classes, or a label set.
        weight_type: "square", w = 1 / G^2 with G the target pixels of the class; "simple", w = 1 / G; "linear", w = 1.

    Raises:
        ValueError: another ``weight_type``, and what ``ConfusionMatrixMetric`` raises.

    Source: Crum, Camara, Hill 2006, "Generalized Overlap Measures for Evaluation and Validation in Medical Image
    Analysis"; Sudre et al. 2017, "Generalised Dice overlap as a deep learning loss function for highly unbalanced
    segmentations", section 2.1.

    >>> import torch
    >>> from segiou import GeneralizedDice
    >>> GeneralizedDice(num_classes=2)(torch.tensor([[0, 1, 1, 0]]), torch.tensor([[0, 1, 0, 0]]))
    tensor(0.6875)
    """

    score = Score("GeneralizedDice", formulas.generalized_dice, average=None, background=True, of_classes=True)

    def __init__(
        self,
        num_classes: NumClasses = None,
        *,
        weight_type: WeightType = "square",
        **kwargs: Unpack[ClassMetricArguments],
    ) -> None:
        require_weight_type(weight_type)
        super().__init__(num_classes, **kwargs)
        self.score = replace(self.score, formula=partial(formulas.generalized_dice, weight_type=weight_type))
        self.weight_type = weight_type

    def state_text_of_its_own(self) -> list[str]:
        """See ``ConfusionMatrixMetric.state_text``."""
        return [f"weight_type={self.weight_type!r}"]


def require_weight_type(weight_type: Any) -> None:
    """Raise ValueError where ``weight_type`` is none."""
    if weight_type not in get_args(WeightType):
        raise ValueError(f'weight_type must be "square", "simple" or "linear", got {weight_type!r}')
