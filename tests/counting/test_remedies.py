"""What an error says to do leads to the right number: each remedy is followed, and the value is counted by a loop."""

import re

import pytest
import torch
from torch.nn.functional import one_hot

from segiou import BoundaryIoU, ConfidenceInterval, ImagewiseIoU, LabelSet, MeanIoU
from tests.helpers import oracle

CLASSES = 3
LABELS = torch.randint(0, CLASSES, (2, 4, 5), generator=torch.Generator().manual_seed(3))
PREDS = torch.where(torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(4)) < 0.3, LABELS.roll(1), LABELS)
MASK, PREDICTED = LABELS > 0, PREDS > 0


def mean_iou(preds, target, classes, ignore=()):
    """The mean over the classes that are there of their IoU, by a loop over pixels."""
    counts = oracle.matrix(oracle.pixels(preds), oracle.pixels(target), classes, ignore)
    scores = []
    for c in range(classes):
        union = sum(counts[c]) + sum(row[c] for row in counts[:classes]) - counts[c][c]
        scores += [counts[c][c] / union] if union else []
    return sum(scores) / len(scores)


def foreground(preds, target):
    """The IoU of the pixels that are true."""
    pairs = list(zip(oracle.pixels(preds), oracle.pixels(target), strict=True))
    return sum(bool(p and t) for p, t in pairs) / sum(bool(p or t) for p, t in pairs)


def hot(labels, classes=CLASSES):
    return one_hot(labels.long(), classes).movedim(-1, 1)


MULTICLASS = mean_iou(PREDS, LABELS, CLASSES)
BINARY = foreground(PREDICTED, MASK)
SCORES = hot(PREDS).float()
PROBABILITIES = PREDICTED * 0.6 + 0.2
# the metric, what is passed, what the message advises, the metric and input that follow it, and the right value
REMEDIES = {
    "one-hot maps": (
        MeanIoU(CLASSES),
        (hot(PREDS), hot(LABELS)),
        "pass preds.long().argmax(1) and target.long().argmax(1)",
        lambda m, p, t: m(p.long().argmax(1), t.long().argmax(1)),
        MULTICLASS,
    ),
    "one-hot maps of bool": (
        MeanIoU(CLASSES),
        (hot(PREDS).bool(), hot(LABELS).bool()),
        "pass preds.long().argmax(1) and target.long().argmax(1)",
        lambda m, p, t: m(p.long().argmax(1), t.long().argmax(1)),
        MULTICLASS,
    ),
    "one-hot maps of two classes": (
        MeanIoU(2),
        (hot(PREDICTED, 2), hot(MASK, 2)),
        "pass preds.long().argmax(1) and target.long().argmax(1)",
        lambda m, p, t: m(p.long().argmax(1), t.long().argmax(1)),
        mean_iou(PREDICTED, MASK, 2),
    ),
    "one-hot maps of a binary task": (
        MeanIoU(task="binary"),
        (hot(PREDICTED, 2), hot(MASK, 2)),
        "pass preds.long().argmax(1) and target.long().argmax(1)",
        lambda m, p, t: m(p.long().argmax(1), t.long().argmax(1)),
        BINARY,
    ),
    "scores, and a one-hot target": (
        MeanIoU(CLASSES),
        (SCORES, hot(LABELS)),
        "pass target.long().argmax(1) if target is one-hot",
        lambda m, p, t: m(p, t.long().argmax(1)),
        MULTICLASS,
    ),
    "scores, and a one-hot target of bool": (
        MeanIoU(CLASSES),
        (SCORES, hot(LABELS).bool()),
        "pass target.long().argmax(1) if target is one-hot",
        lambda m, p, t: m(p, t.long().argmax(1)),
        MULTICLASS,
    ),
    "one channel of probabilities and a mask": (
        MeanIoU(1),
        (PROBABILITIES[:, None], MASK[:, None].long()),
        'pass task="binary" in place of num_classes=1',
        lambda m, p, t: MeanIoU(task="binary")(p, t),
        BINARY,
    ),
    "one channel of probabilities and labels": (
        MeanIoU(1),
        (PROBABILITIES[:, None], MASK.long()),
        'pass task="binary" in place of num_classes=1',
        lambda m, p, t: MeanIoU(task="binary")(p, t),
        BINARY,
    ),
    "masks of 0 and 1 for one class": (
        MeanIoU(1),
        (PREDICTED.long(), MASK.long()),
        'pass task="binary" in place of num_classes=1',
        lambda m, p, t: MeanIoU(task="binary")(p, t),
        BINARY,
    ),
    "one channel of scores for three classes": (
        MeanIoU(3),
        (PROBABILITIES[:, None], MASK.long()),
        'for the scores of one foreground class pass task="binary"',
        lambda m, p, t: MeanIoU(task="binary")(p, t),
        BINARY,
    ),
    "predictions of 0 and 255": (
        MeanIoU(task="binary"),
        (PREDICTED * 255, MASK.long()),
        "pass preds > 0 if 255 is the foreground",
        lambda m, p, t: m(p > 0, t),
        BINARY,
    ),
    "predictions of 0 and 255 in two classes": (
        MeanIoU(2),
        (PREDICTED * 255, MASK.long()),
        "pass preds > 0 if 255 is the foreground",
        lambda m, p, t: m(p > 0, t),
        mean_iou(PREDICTED, MASK, 2),
    ),
    "a target of 0 and 255": (
        MeanIoU(task="binary"),
        (PREDICTED.long(), (MASK * 255).byte()),
        "pass target > 0 if 255 is the foreground",
        lambda m, p, t: m(p, t > 0),
        BINARY,
    ),
    "a target of 0 and 255 in two classes": (
        MeanIoU(2),
        (PREDICTED.long(), MASK * 255),
        "pass target > 0 if 255 is the foreground",
        lambda m, p, t: m(p, t > 0),
        mean_iou(PREDICTED, MASK, 2),
    ),
    "a target of 0, 1 and 255": (
        MeanIoU(2),
        (PREDICTED.long(), LABELS.clamp(max=2).masked_fill(LABELS == 2, 255)),
        "pass ignore_index=255 to leave them out",
        lambda m, p, t: MeanIoU(2, ignore_index=255)(p, t),
        mean_iou(PREDICTED, LABELS.masked_fill(LABELS == 2, 255), 2, (255,)),
    ),
    "an ignored value that is not named": (
        MeanIoU(CLASSES),
        (PREDS, LABELS.masked_fill(MASK, 255)),
        "pass ignore_index=255 to leave them out",
        lambda m, p, t: MeanIoU(CLASSES, ignore_index=255)(p, t),
        mean_iou(PREDS, LABELS.masked_fill(MASK, 255), CLASSES, (255,)),
    ),
    "a class too many": (
        MeanIoU(2),
        (PREDS, LABELS),
        "pass num_classes=3",
        lambda m, p, t: MeanIoU(3)(p, t),
        MULTICLASS,
    ),
    "logits for probabilities": (
        MeanIoU(task="binary"),
        (PREDICTED * 4.0 - 2, MASK),
        "pass from_logits=True",
        lambda m, p, t: MeanIoU(task="binary", from_logits=True)(p, t),
        BINARY,
    ),
    "a float target": (
        MeanIoU(CLASSES),
        (PREDS, LABELS.float()),
        "pass target.long() if the values are class ids",
        lambda m, p, t: m(p, t.long()),
        MULTICLASS,
    ),
    "a soft target": (
        MeanIoU(task="binary"),
        (PREDICTED, MASK * 0.8),
        "pass target > 0.5 if it is a soft mask of one class",
        lambda m, p, t: m(p, t > 0.5),
        BINARY,
    ),
    "a channel axis": (
        MeanIoU(CLASSES),
        (PREDS, LABELS[:, None]),
        "pass target.squeeze(1)",
        lambda m, p, t: m(p, t.squeeze(1)),
        MULTICLASS,
    ),
    "a channel axis of preds": (
        MeanIoU(CLASSES),
        (PREDS[:, None], LABELS),
        "pass preds.squeeze(1) if these are labels",
        lambda m, p, t: m(p.squeeze(1), t),
        MULTICLASS,
    ),
    "classes last": (
        MeanIoU(CLASSES),
        (SCORES.movedim(1, -1), LABELS),
        "pass preds.movedim(-1, 1)",
        lambda m, p, t: m(p.movedim(-1, 1), t),
        MULTICLASS,
    ),
    "an image alone": (
        MeanIoU(CLASSES),
        (SCORES[0], LABELS[0]),
        "for one image pass preds[None] and target[None]",
        lambda m, p, t: m(p[None], t[None]),
        mean_iou(PREDS[0], LABELS[0], CLASSES),
    ),
    "several outputs": (
        MeanIoU(CLASSES),
        ((SCORES, SCORES[..., :2, :2]), LABELS),
        "pass the one that holds the scores, such as preds[0]",
        lambda m, p, t: m(p[0], t),
        MULTICLASS,
    ),
    "raw ids of a data set": (
        MeanIoU("cityscapes"),
        (PREDS, torch.tensor([7, 8, 26])[LABELS]),
        "pass LabelSet.of('cityscapes').encode(target)",
        lambda m, p, t: m(p, LabelSet.of("cityscapes").encode(t)),
        mean_iou(PREDS, torch.tensor([0, 1, 13])[LABELS], 19),
    ),
    "raw ids of a data set in both": (
        MeanIoU("cityscapes"),
        (torch.tensor([26, 8, 33])[PREDS], torch.tensor([0, 1, 2])[LABELS]),
        "pass LabelSet.of('cityscapes').encode(preds)",
        lambda m, p, t: m(LabelSet.of("cityscapes").encode(p), t),
        mean_iou(torch.tensor([13, 1, 18])[PREDS], LABELS, 19),
    ),
}


@pytest.mark.parametrize("name", REMEDIES)
def test_a_remedy_leads_to_the_right_number(name):
    metric, (preds, target), advice, followed, right = REMEDIES[name]
    metric.reset()
    with pytest.raises(ValueError, match=re.escape(advice)):
        metric.update(preds, target)
    assert metric.update_count == 0
    assert float(followed(metric, preds, target)) == pytest.approx(right, rel=1e-6)


@pytest.mark.parametrize("metric", [ImagewiseIoU(CLASSES), BoundaryIoU(CLASSES), ConfidenceInterval(MeanIoU(CLASSES))])
def test_every_metric_refuses_one_hot_maps(metric):
    with pytest.raises(ValueError, match="got one-hot maps of 3 classes on axis 1"):
        metric.update(hot(PREDS), hot(LABELS))


def test_one_hot_targets_in_which_a_pixel_has_no_class_are_refused_too():
    target = hot(LABELS)
    target[0, :, 0, :2] = 0
    with pytest.raises(ValueError, match="got one-hot maps of 3 classes on axis 1"):
        MeanIoU(CLASSES)(hot(PREDS), target)


def test_label_maps_that_are_as_high_as_there_are_classes_are_counted():
    """Even where few pixels look one-hot by chance, or ones are rare."""
    line = torch.zeros(2, CLASSES, 9, dtype=torch.int64)
    line[:, 1] = 1
    few = torch.eye(CLASSES, dtype=torch.int64)[None, :, :2]
    sparse = torch.zeros(4, CLASSES, 50, dtype=torch.int64)
    sparse[0, 0, 0] = 1
    for labels in (LABELS[:, :CLASSES], few, sparse, torch.zeros_like(sparse), torch.ones_like(sparse)):
        assert float(MeanIoU(CLASSES)(labels, labels)) == 1
    with pytest.raises(ValueError, match="if these are labels, flatten the spatial axes"):
        MeanIoU(CLASSES)(line, line)
    assert float(MeanIoU(CLASSES)(line.flatten(1), line.flatten(1))) == 1


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_two_channels_of_a_binary_task_are_held_to_the_threshold(threshold, dtype):
    logits = (torch.randn(2, 2, 4, 5) * 2).to(dtype)
    probabilities = logits.double().softmax(1)
    right = foreground(probabilities[:, 1] > threshold, MASK)
    from_logits = MeanIoU(task="binary", threshold=threshold, from_logits=True)
    assert float(from_logits(logits, MASK)) == pytest.approx(right)
    assert float(MeanIoU(task="binary", threshold=threshold)(probabilities, MASK)) == pytest.approx(right)
    half = foreground(probabilities[:, 1] > 0.5, MASK)
    assert float(MeanIoU(task="binary")(logits, MASK)) == pytest.approx(half), "the larger channel wins"
    if dtype == torch.float32:
        with pytest.raises(ValueError, match="scores must be probabilities between 0 and 1"):
            MeanIoU(task="binary", threshold=threshold).update(logits, MASK)
