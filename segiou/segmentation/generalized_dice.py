"""Generalized Dice of single images, with the arguments of torchmetrics.segmentation.GeneralizedDiceScore."""

from torch import Tensor
from typing_extensions import Unpack

from segiou.argument_checks import flag, positive
from segiou.metrics.arguments import TorchmetricsArguments
from segiou.metrics.generalized_dice import require_weight_type
from segiou.scoring import formulas
from segiou.scoring.formulas import Areas, WeightType, floating
from segiou.segmentation.inputs import InputFormat, Masks
from segiou.segmentation.twin import SegmentationTwin


class GeneralizedDiceScore(SegmentationTwin):
    """Generalized Dice, the mean over images: 2 sum(w TP) / sum(w (P + G)), with a weight w for each class.

    With the arguments, their order and the results of ``torchmetrics.segmentation.GeneralizedDiceScore``, with this
    difference: a class that is predicted in an image whose target has none of it, where its weight is infinite, has the
    largest weight of the classes in that image. There the weight is taken from other images of the batch, and from
    another class, so that the value depends on the batches, and the false alarms of a single image are lost. Sums are
    exact, of float32 there. A label outside the classes, one-hot maps of other values than 0 and 1, and scores of a
    single channel raise. ``segiou.GeneralizedDice`` is that of the whole data set.

    An image or a class in neither target nor prediction scores 0, as in torchmetrics; ``Imagewise(GeneralizedDice(C))``
    leaves it out.

    Args:
        num_classes: C.
        include_background: whether class 0 is scored.
        per_class: the mean over images of each class, where weights cancel, in place of one value.
        weight_type: "square", w = 1 / G^2 with G the target pixels of the class; "simple", w = 1 / G; "linear", w = 1.
        input_format: as in ``segiou.segmentation.MeanIoU``; labels ``(N, L)`` are N images.

    Raises:
        ValueError: an argument outside its choices or range.
        TypeError: an argument of another type.

    Source: Crum, Camara, Hill 2006; Sudre et al. 2017; see ``segiou.GeneralizedDice``.

    >>> import torch
    >>> from segiou.segmentation import GeneralizedDiceScore
    >>> preds, target = torch.tensor([[0, 1, 1, 0], [1, 1, 1, 0]]), torch.tensor([[0, 1, 0, 0], [1, 1, 1, 0]])
    >>> GeneralizedDiceScore(num_classes=2, input_format="index")(preds, target)
    tensor(0.8438)
    """

    def __init__(
        self,
        num_classes: int,
        include_background: bool = True,
        per_class: bool = False,
        weight_type: WeightType = "square",
        input_format: InputFormat = "one-hot",
        **kwargs: Unpack[TorchmetricsArguments],
    ) -> None:
        require_weight_type(weight_type)
        self.per_class = flag("per_class", per_class)
        self.weight_type = weight_type
        masks = Masks(positive("num_classes", num_classes), include_background, input_format)
        name = "generalized_dice_classes" if per_class else f"generalized_dice_{weight_type}"
        super().__init__(masks, name, len(masks.scored) if per_class else 1, **kwargs)

    def scores(self, areas: Areas) -> Tensor:
        """The score of each image, ``(N, 1)``, or of each class in it, ``(N, K)``."""
        found = generalized_dice_of_images(areas, self.per_class, self.weight_type)
        return found if self.per_class else found[:, None]

    def value(self) -> Tensor:
        """The mean over images."""
        means = super().value()
        return means if self.per_class else means[0]


def generalized_dice_of_images(areas: Areas, per_class: bool, weight_type: WeightType) -> Tensor:
    """The score of each image, float64 ``(N,)``, or of each class in each, ``(N, K)``; 0 where it is 0/0."""
    areas = floating(areas)
    scores = formulas.dice(areas) if per_class else formulas.generalized_dice(areas, weight_type)
    return scores.nan_to_num(0)
