"""Label sets: names, raw ids, ignored values, colours and groups of the classes of a data set."""

from segiou.labels.label_set import LabelSet, Unknown
from segiou.labels.tables import Labels

__all__ = ["LabelSet", "Labels", "Unknown"]
