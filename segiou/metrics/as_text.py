"""The arguments of a metric as text: those that its ``repr`` shows, and those that name its states."""

from dataclasses import fields
from typing import Any

from segiou.counting import Rules
from segiou.labels.class_names import Classes
from segiou.labels.label_set import LabelSet
from segiou.scoring.averaging import Averaging


def arguments_of_classes(preset: str | None, rules: Rules, classes: Classes) -> dict[str, Any]:
    """``num_classes`` and what a label set gives beside it; None for what was left out.

    Args:
        preset: the name of the label set that was given, if one that comes with the package was.
        rules: how pixels are read.
        classes: the names and the groups.
    """
    labels = None if preset is None else LabelSet.of(preset)
    ignored = labels.ignore_index if labels else ()
    names = labels.class_names if labels else tuple(map(str, range(len(classes.names))))
    return {
        "num_classes": preset or (rules.num_classes if rules.task == "multiclass" else None),
        "ignore_index": None if set(rules.ignore_index) == set(ignored) else rules.ignore_index,
        "class_names": None if classes.names == tuple(names) else classes.names,
        "groups": classes.groups,
    }


def state_text(rules: Rules, averaging: Averaging, classes: Classes) -> list[str]:
    """Arguments that scores depend on. They name the states of per-image metrics in checkpoints: never change them."""
    plain = Rules(rules.task, rules.num_classes, rules.num_labels)
    shown: dict[str, Any] = {"num_classes": rules.num_classes} if rules.task == "multiclass" else {"task": rules.task}
    for default, own in ((plain, rules), (Averaging(task=rules.task), averaging)):
        shown |= {
            f.name: getattr(own, f.name)
            for f in fields(own)
            if f.repr and getattr(own, f.name) != getattr(default, f.name)
        }
    shown |= {"num_labels": rules.num_labels} if rules.num_labels else {}
    shown |= {"groups": classes.groups} if classes.groups else {}
    return [f"{name}={value!r}" for name, value in shown.items()]
