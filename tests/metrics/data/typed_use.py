"""What a type checker must know of segiou. It must report the lines marked with WRONG, and no others."""

import torch
from torch import Tensor
from typing_extensions import assert_type

import segiou
from segiou import functional
from segiou.lightning import SegmentationMonitor
from segiou.metrics import Comparison, Interval, Sweep

preds, target = torch.zeros(2, 4, 4, dtype=torch.int64), torch.zeros(2, 4, 4, dtype=torch.int64)

miou = segiou.MeanIoU(3, ignore_index=255)
assert_type(miou.compute(), Tensor)
assert_type(miou(preds, target), Tensor)
assert_type(miou.forward(preds, target), Tensor)
assert_type(segiou.PixelAccuracy(3)(preds, target), Tensor)
assert_type(segiou.ConfusionMatrix(3)(preds, target), Tensor)
assert_type(segiou.JaccardIndex(3).compute(), Tensor)
assert_type(segiou.InstanceIoU(3).compute(), Tensor)
assert_type(segiou.ImagewiseIoU(3, ignore_index=255)(preds, target), Tensor)
assert_type(segiou.SegmentationMetrics(3)(preds, target), dict[str, Tensor])
assert_type(segiou.ThresholdSweep()(preds, target), Sweep)
assert_type(segiou.ThresholdSweep().compute().best_threshold, Tensor)

interval = segiou.ConfidenceInterval(miou, level=0.9)
assert_type(interval.compute(), Interval)
assert_type(interval(preds, target).low, Tensor)
many = segiou.ConfidenceInterval(segiou.SegmentationMetrics(3))
assert_type(many.compute(), dict[str, Interval])
compared = segiou.PairedComparison(segiou.Dice(3))
assert_type(compared.compute(), Comparison)
assert_type(compared(preds, preds, target).difference.high, Tensor)

assert_type(functional.mean_iou(preds, target, 3, ignore_index=255), Tensor)
assert_type(functional.segmentation_metrics(preds, target, 3), dict[str, Tensor])
assert_type(functional.threshold_sweep(preds, target), Sweep)
assert_type(functional.jaccard_index(preds, target, "binary"), Tensor)

segiou.MeanIoU(3, process_group=None, sync_on_compute=False, average="none", exclude=["0"], groups={"a": [0]})
segiou.FBeta(3, beta=2.0, absent=0.0, absent_if="target")
SegmentationMonitor(3, ignore_index=255, average="micro", stages=["val"])

segiou.MeanIoU(3, ignor_index=255)  # WRONG
segiou.MeanIoU(3, average="mean")  # WRONG
segiou.MeanIoU(3, True)  # WRONG
segiou.FBeta(3, ignor_index=255)  # WRONG
segiou.PixelAccuracy(3, average="macro")  # WRONG
segiou.PixelAccuracy(3, ignor_index=255)  # WRONG
segiou.ImagewiseIoU(3, ignor_index=255)  # WRONG
segiou.ConfidenceInterval(miou, sed=1)  # WRONG
segiou.BinaryJaccardIndex(ignor_index=255)  # WRONG
segiou.SegmentationMetrics(3, average="macro")  # WRONG
functional.mean_iou(preds, target, 3, ignor_index=255)  # WRONG
functional.pixel_accuracy(preds, target, 3, exclude=0)  # WRONG
SegmentationMonitor(3, ignor_index=255)  # WRONG
SegmentationMonitor(3, average="none")  # WRONG
