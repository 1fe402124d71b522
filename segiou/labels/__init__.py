"""Label sets: names, raw ids, ignored values, colours and groups of the classes of a data set."""

from segiou.labels.checks import Labels
from segiou.labels.label_maps import Unknown
from segiou.labels.label_set import LabelSet

__all__ = ["LabelSet", "Labels", "Unknown"]
