"""The conventions behind the numbers, in words: what a reader needs to get the same ones."""

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.scores import MeanIoU
from segiou.scoring.averaging import Averaging, Score


def conventions(metric: ConfusionMatrixMetric, counts: Tensor) -> Iterator[tuple[str, str]]:
    """The conventions of the metric and the pixels it has counted, each with a name."""
    rules, how = metric.rules, metric.averaging
    yield "Task", _task(metric)
    yield "Pixels", _pixels(counts)
    yield (
        "Scores",
        "pixels are summed over the whole data set, then scored once. With TP, P and G the pixels of a class that are "
        "right, predicted and in the target: IoU = TP / (P + G - TP), Dice = 2 TP / (P + G), precision = TP / P, "
        "recall = TP / G",
    )
    yield "Average", averages(MeanIoU.score, how if how.average != "none" else replace(how, average=None))
    yield (
        "Ignored values",
        f"{_listed(rules.ignore_index)}: pixels with such a target are not counted" if rules.ignore_index else "none",
    )
    yield "Absent classes", absent(how)
    left_out = [metric.classes.scored[place] for place in MeanIoU.score.left_out(how)]
    yield "Left out of means", f"{_listed(left_out)}; pixels still counted" if left_out else "nothing"
    if metric.classes.groups:
        names = metric.class_names
        yield (
            "Groups",
            "; ".join(
                f"{name} = {_listed([names[c] for c in members])}" for name, members in metric.classes.groups.items()
            ),
        )
    if rules.upsample:
        aligned = ", corners aligned" if rules.align_corners else ""
        yield "Score maps of another size", f"brought to the size of the target, {rules.upsample}{aligned}"
    yield (
        "Labels outside the classes",
        "an error" if rules.validate_args else "ignored in the target, a miss in the prediction",
    )


def averages(score: Score, how: Averaging) -> str:
    """How one score was averaged, in words."""
    what = "labels" if how.task == "multilabel" else "classes"
    if score.of_matrix:
        return "mean over labels, each of all its pixels" if how.task == "multilabel" else "of all counted pixels"
    if how.task == "binary" and score.left_out(how) == (0,):
        return "of the positive class"
    return {
        "macro": f"macro: the plain mean over {what}",
        "micro": f"micro: the score of the areas summed over {what}",
        "weighted": f"weighted: the mean over {what}, by target pixels",
    }[how.average or score.average or "macro"]


def absent(how: Averaging) -> str:
    """What becomes of classes without pixels, in words."""
    where = "in neither target nor prediction" if how.absent_if == "union" else "not in the target"
    if how.absent == "skip":
        text = f"a class that is {where} has no score and is left out of means; so is any score that is 0/0"
    else:
        text = f"a class that is {where} scores {how.fill:g}, and it counts; so does any score that is 0/0"
    if how.absent_if == "target_unless_empty":
        text += "; where the target has no averaged class at all, those that are predicted score 0"
    return text


def _task(metric: ConfusionMatrixMetric) -> str:
    rules = metric.rules
    if rules.task == "multiclass":
        return f"multiclass, {rules.num_classes} classes"
    scores = "logits whose probability is" if rules.from_logits else "probabilities"
    positive = f"scores are positive for {scores} above {rules.threshold:g}"
    if rules.num_labels is None:
        return f"binary, {positive}"
    return f"multilabel, {rules.num_labels} labels, each a binary problem; {positive}"


def _pixels(counts: Tensor) -> str:
    total, ignored = int(counts.sum()), int(counts[..., -1, :].sum())
    void = int(counts[..., :-1, -1].sum())
    text = f"{total - ignored:,} counted, {ignored:,} ignored"
    return text + (f", {void:,} of the counted were predicted as no class" if void else "")


def _listed(items: object) -> str:
    return ", ".join(str(item) for item in items)  # type: ignore[attr-defined]
