"""The functions of torchmetrics.functional.segmentation: the scores of each image of one batch.

Arguments, their order and results are torchmetrics' own; where they differ is said in ``segiou.segmentation.MeanIoU``,
``DiceScore`` and ``GeneralizedDiceScore``. Labels outside the classes raise on every device.

>>> import torch
>>> from segiou.segmentation.functional import mean_iou
>>> mean_iou(torch.tensor([[[0, 1, 1]]]), torch.tensor([[[0, 1, 0]]]), num_classes=2, input_format="index")
tensor([0.5000])
"""

from typing import Any

import torch
from torch import Tensor

from segiou.argument_checks import flag, positive
from segiou.counting.torch_compile import uncompiled
from segiou.counting.value_errors import has_bad, total_error
from segiou.metrics.generalized_dice import require_weight_type
from segiou.scoring.averaging import Average
from segiou.scoring.formulas import Areas, WeightType
from segiou.segmentation.dice import AggregationLevel, checked_average, checked_level, dice_of_images
from segiou.segmentation.generalized_dice import generalized_dice_of_images
from segiou.segmentation.inputs import ImageAreas, InputFormat, Masks
from segiou.segmentation.mean_iou import as_images, iou_of_images


@uncompiled
def mean_iou(
    preds: Any,
    target: Any,
    num_classes: int | None = None,
    include_background: bool = True,
    per_class: bool = False,
    input_format: InputFormat = "one-hot",
) -> Tensor:
    """The mean IoU of each image, float32 ``(N,)``, or of each class in each, ``(N, K)``, nan for an absent class.

    See ``segiou.segmentation.MeanIoU``; torchmetrics has -1 for an absent class.
    """
    masks = Masks(num_classes, include_background, input_format)
    flag("per_class", per_class)
    return iou_of_images(_checked(masks.areas(*as_images(masks, preds, target))), per_class).float()


@uncompiled
def dice_score(
    preds: Any,
    target: Any,
    num_classes: int,
    include_background: bool = True,
    average: Average | None = "macro",
    input_format: InputFormat = "one-hot",
    aggregation_level: AggregationLevel = "samplewise",
) -> Tensor:
    """Dice of each image, float32 ``(N,)``, or with ``average="none"`` of each class in each, ``(N, K)``.

    With ``aggregation_level="global"`` all images are one: ``(1,)`` or ``(1, K)``. See
    ``segiou.segmentation.DiceScore``.
    """
    how, level = checked_average(average), checked_level(aggregation_level)
    areas = _checked(
        Masks(positive("num_classes", num_classes), include_background, input_format).areas(preds, target)
    ).areas
    if level == "global":
        areas = Areas(*torch.stack(areas).sum(1, keepdim=True))
    return dice_of_images(areas, how).float()


@uncompiled
def generalized_dice_score(
    preds: Any,
    target: Any,
    num_classes: int,
    include_background: bool = True,
    per_class: bool = False,
    weight_type: WeightType = "square",
    input_format: InputFormat = "one-hot",
) -> Tensor:
    """Generalized Dice of each image, float32 ``(N,)``, or of each class in each, ``(N, K)``.

    See ``segiou.segmentation.GeneralizedDiceScore``.
    """
    require_weight_type(weight_type)
    flag("per_class", per_class)
    masks = Masks(positive("num_classes", num_classes), include_background, input_format)
    return generalized_dice_of_images(_checked(masks.areas(preds, target)).areas, per_class, weight_type).float()


def _checked(found: ImageAreas) -> ImageAreas:
    errors = found.errors.tolist()
    if has_bad(errors):
        raise total_error(errors, found.rules)
    return found
