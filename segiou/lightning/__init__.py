"""The Lightning callback that logs mIoU and Dice of every epoch."""

from segiou.lightning.monitor import SegmentationMonitor

__all__ = ["SegmentationMonitor"]
