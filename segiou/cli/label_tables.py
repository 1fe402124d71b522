"""What ``segiou labels`` shows. Nothing here loads torch."""

from rich.console import Console

from segiou.cli.terminal import right, table
from segiou.labels import LabelSet


def show_presets(out: Console) -> None:
    """The label sets that are known by name."""
    rows = table("name", right("classes"), right("raw ids"), "colours", "groups")
    for name in LabelSet.presets():
        labels = LabelSet.of(name)
        groups = ", ".join(labels.groups)
        rows.add_row(name, str(labels.num_classes), str(len(labels.ids)), "yes" if labels.palette else "no", groups)
    out.print(rows)


def show_label_set(out: Console, labels: LabelSet) -> None:
    """The classes of one label set."""
    rows = table(right("class"), "name", "raw ids", "colour")
    for number, name in enumerate(labels.class_names):
        raw = ", ".join(str(value) for value, meaning in labels.ids.items() if meaning == number)
        colour = "" if labels.palette is None else "#{:02x}{:02x}{:02x}".format(*labels.palette[number])
        rows.add_row(str(number), name, raw, colour)
    ignored = ", ".join(str(value) for value, meaning in labels.ids.items() if meaning in labels.ignore_index)
    rows.add_row("", "ignored", ignored, "")
    out.print(rows)
