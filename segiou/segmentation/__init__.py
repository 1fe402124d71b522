"""Metrics under the names, and with the arguments, that they have in torchmetrics.segmentation.

The functions of torchmetrics.functional.segmentation are in ``segiou.segmentation.functional``.
"""

from segiou.segmentation import functional
from segiou.segmentation.dice import DiceScore
from segiou.segmentation.generalized_dice import GeneralizedDiceScore
from segiou.segmentation.mean_iou import MeanIoU

__all__ = ["DiceScore", "GeneralizedDiceScore", "MeanIoU", "functional"]
