"""The twins of torchmetrics' accuracy, precision, recall, specificity, F-beta, F1 and statistics, held to torchmetrics."""

import copy
import itertools
import pickle
import re

import pytest
import torch
import torchmetrics
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics import MetricCollection
from torchmetrics import classification as theirs

import segiou
from segiou import classification
from tests.helpers.task_cases import (
    AVERAGES,
    IGNORED,
    SIZES,
    TASKS,
    C,
    L,
    batches,
)

FAMILIES = ["Accuracy", "F1Score", "FBetaScore", "Precision", "Recall", "Specificity", "StatScores"]
ZERO = ["F1Score", "FBetaScore", "Precision", "Recall"]  # whose zero_division torchmetrics honours
every_family = pytest.mark.parametrize("family", FAMILIES)
every_task = pytest.mark.parametrize("task", TASKS)


INPUTS = [("labels", "flat"), ("labels", "volumes"), ("probabilities", "maps"), ("logits", "maps")]


def require_same(own: torch.Tensor, other: torch.Tensor) -> None:
    """Equal but for the last bit: there it is a sum in float32, of pixels for the statistics."""
    torch.testing.assert_close(own, other, rtol=1e-6, atol=1e-6, equal_nan=True, check_dtype=True)


def grid(family: str, task: str, ignored: int | None = None) -> list[dict]:
    """The arguments of a family for a task, all but those that say which pixels count."""
    found = []
    for average, level in itertools.product(AVERAGES[task], ["global", "samplewise"]):
        for zero, beta in itertools.product(
            [0, 1] if family in ZERO else [None], [0.5, 2.0] if family == "FBetaScore" else [None]
        ):
            every = {"multidim_average": level, "ignore_index": ignored, "zero_division": zero, "beta": beta}
            every |= {} if task == "binary" else {"average": average}
            found.append(SIZES[task] | {n: v for n, v in every.items() if v is not None or n == "average"})
    return found


def built(family: str, task: str, arguments: dict) -> tuple:
    return tuple(getattr(module, f"{TASKS[task]}{family}")(**arguments) for module in (classification, theirs))


def differs(family: str, task: str, arguments: dict) -> bool:
    """Whether torchmetrics is wrong: it weighs each image by the pixels of all images."""
    weighted = arguments.get("average") == "weighted" and arguments["multidim_average"] == "samplewise"
    return (family, task) == ("StatScores", "multilabel") and weighted


@every_family
@every_task
@pytest.mark.parametrize(("kind", "shape"), INPUTS)
def test_metrics_are_torchmetrics_own_per_batch_and_over_batches(family, task, kind, shape):
    for ignored in IGNORED[task][:3]:
        found = batches(task, kind, shape, ignored)
        for arguments in grid(family, task, ignored):
            if differs(family, task, arguments) or (shape == "flat" and arguments["multidim_average"] == "samplewise"):
                continue
            own, other = built(family, task, arguments)
            for preds, target in found:
                require_same(own(preds, target), other(preds, target))
            require_same(own.compute(), other.compute())


@every_family
@every_task
def test_where_nothing_was_counted(family, task):
    preds, target = batches(task, "labels", "maps", None, 1)[0]
    for arguments in grid(family, task, 255):
        if not differs(family, task, arguments):
            own, other = built(family, task, arguments)
            require_same(own(preds, torch.full_like(target, 255)), other(preds, torch.full_like(target, 255)))


@every_family
@every_task
def test_wrappers_give_the_class_of_the_task(family, task):
    preds, target = batches(task, "probabilities", "maps", None, 1)[0]
    own, other = getattr(classification, family), getattr(torchmetrics, family)
    arguments = {"num_classes": C, "num_labels": L}
    for average in AVERAGES[task]:
        metric = own(task, average=average, **arguments)
        assert type(metric) is getattr(classification, f"{TASKS[task]}{family}")
        assert isinstance(metric, own)
        expected = other(task, average=average, **arguments)(preds, target)
        for copied in (metric, pickle.loads(pickle.dumps(metric)), metric.clone(), copy.deepcopy(metric)):
            require_same(copied(preds, target), expected)
    require_same(own(task, **arguments)(preds, target), other(task, **arguments)(preds, target))


@given(data=st.data())
@every_task
def test_counts_of_any_labels_are_those_of_a_loop(task, data):
    images, pixels = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 5))
    classes = C if task == "multiclass" else 2
    size = (images, L, pixels) if task == "multilabel" else (images, pixels)
    number = torch.Size(size).numel()
    values = st.lists(st.integers(0, classes - 1), min_size=number, max_size=number)
    preds, target = (torch.tensor(data.draw(values)).view(size) for _ in range(2))
    ignored = data.draw(st.sampled_from([None, 0, -1]))
    if ignored == -1:
        target = target.masked_fill(
            torch.tensor(data.draw(st.lists(st.booleans(), min_size=number, max_size=number))).view(size), -1
        )
    positive = {"binary": [1], "multiclass": range(C), "multilabel": range(L)}[task]
    expected = []
    for p, t in zip(preds.tolist(), target.tolist(), strict=True):
        rows = []
        for c in positive:
            pairs = zip(p[c], t[c], strict=True) if task == "multilabel" else zip(p, t, strict=True)
            hit = 1 if task == "multilabel" else c
            seen = [(a == hit, b == hit) for a, b in pairs if b != ignored]
            tp, fp, tn, fn = (seen.count(pair) for pair in ((True, True), (True, False), (False, False), (False, True)))
            rows.append([tp, fp, tn, fn, tp + fn])
        expected.append(rows)
    counts = torch.tensor(expected)
    arguments = SIZES[task] | {"ignore_index": ignored} | ({} if task == "binary" else {"average": None})
    each = getattr(classification, f"{TASKS[task]}StatScores")(**arguments, multidim_average="samplewise")
    whole = getattr(classification, f"{TASKS[task]}StatScores")(**arguments)
    for metric in (each, whole):
        metric.update(preds, target)
    assert torch.equal(each.compute().view(counts.shape), counts)
    assert torch.equal(whole.compute().view(counts.shape[1:]), counts.sum(0))


# ---- where torchmetrics is wrong


def test_the_weights_of_an_image_are_its_own_here():
    preds, target = batches("multilabel", "labels", "maps", None, 1)[0]
    arguments = {"average": "weighted", "multidim_average": "samplewise"}
    own = classification.MultilabelStatScores(L, **arguments)(preds, target)
    alone = torch.stack(
        [
            theirs.MultilabelStatScores(L, average="weighted")(p[None], t[None])
            for p, t in zip(preds, target, strict=True)
        ]
    )
    torch.testing.assert_close(own, alone)
    assert not torch.allclose(theirs.MultilabelStatScores(L, **arguments)(preds, target), alone)


def test_batches_of_one_image_are_images_here():
    """There the axis of the images is squeezed away: L scores of labels are taken for L images."""
    preds, target = batches("multilabel", "labels", "maps", None, 1)[0]
    arguments = {"average": "macro", "multidim_average": "samplewise"}
    own, other = classification.MultilabelAccuracy(L, **arguments), theirs.MultilabelAccuracy(L, **arguments)
    expected = other(preds, target)
    own.reset()
    for image, labels in zip(preds.split(1), target.split(1), strict=True):
        own.update(image, labels)
    require_same(own.compute(), expected)
    other.reset()
    other.update(preds[:1], target[:1])
    other.update(preds[1:], target[1:])
    assert other.compute().shape != expected.shape


# ---- the rest


def test_one_state_for_all():
    names = ["Accuracy", "F1Score", "Precision", "Recall", "Specificity", "JaccardIndex", "ConfusionMatrix"]
    for task, sizes in SIZES.items():
        metrics = [getattr(classification, f"{TASKS[task]}{name}")(**sizes) for name in names]
        collection, other = (
            MetricCollection(metrics),
            MetricCollection([getattr(theirs, type(m).__name__)(**sizes) for m in metrics]),
        )
        for preds, target in batches(task, "logits", "maps", None):
            collection.update(preds, target)
            other.update(preds, target)
        assert len(collection.compute_groups) == 1
        expected = other.compute()
        for name, value in collection.compute().items():
            require_same(value, expected[name])


@every_task
@pytest.mark.parametrize("level", ["global", "samplewise"])
def test_copies_merges_and_checkpoints_have_the_same_value(task, level):
    first, second = batches(task, "labels", "maps", None)
    one, other, whole, loaded = (
        getattr(classification, f"{TASKS[task]}F1Score")(**SIZES[task], multidim_average=level) for _ in range(4)
    )
    one.update(*first)
    other.update(*second)
    whole.update(*first)
    whole.update(*second)
    one.persistent(True)
    loaded.load_state_dict(one.state_dict())
    for copied in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one), loaded):
        copied.merge_state(other)
        assert torch.equal(copied.compute(), whole.compute())
    assert all(row.dtype == torch.int64 for state in whole.metric_state.values() for row in state)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: classification.MulticlassAccuracy(3, top_k=2), "top_k must be 1, got 2: one matrix holds the largest score alone, use torchmetrics.classification.MulticlassAccuracy for the 2 largest"),
        (lambda: classification.Accuracy("multiclass", num_classes=3, top_k=None), "top_k must be 1, got None: "),
        (lambda: classification.MulticlassAccuracy(3, average="mean"), 'average must be "macro", "micro", "weighted", "none" or None, got \'mean\''),
        (lambda: classification.BinaryRecall(multidim_average="images"), 'multidim_average must be "global" or "samplewise", got \'images\''),
        (lambda: classification.BinaryRecall(zero_division=2), "zero_division must be a score between 0 and 1, got 2"),
        (lambda: classification.BinaryAccuracy(zero_division=1), "zero_division does not apply to BinaryAccuracy, whose 0/0 is 0: leave it out"),
        (lambda: classification.BinaryFBetaScore(0.0), "beta must be a number above 0, up to 1e9, got 0.0"),
        (lambda: classification.BinaryFBetaScore("1"), "beta must be a number above 0, up to 1e9, got '1'"),
        (lambda: classification.MulticlassRecall(3, exclude=[0]), "exclude does not apply to MulticlassRecall: leave it out, got exclude=[0]"),
        (lambda: classification.MulticlassRecall(3, groups={"a": [0]}), "groups does not apply to MulticlassRecall: leave it out, got groups={'a': [0]}"),
        (lambda: classification.MulticlassRecall(3, absent=0.0), "absent does not apply to MulticlassRecall: leave it out, got absent=0.0"),
        (lambda: classification.MulticlassRecall(), "num_classes must be an integer of at least 1 for task='multiclass', got None"),
        (lambda: classification.Recall("binary", multidim_average="samplewise")(torch.tensor([1]), torch.tensor([1])), 'target must have at least 2 axes for multidim_average="samplewise"'),
        (lambda: classification.MultilabelRecall(2, multidim_average="samplewise")(torch.tensor([[1, 0]]), torch.tensor([[1, 1]])), 'target must have at least 3 axes for multidim_average="samplewise"'),
    ],
)  # fmt: skip
def test_bad_arguments_say_what_and_what_else(make, message):
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}"):
        make()


def test_names_that_segiou_has_of_its_own_are_apart():
    assert segiou.Precision is not classification.Precision
    assert segiou.Recall is not classification.Recall


def test_a_label_outside_is_an_error_and_a_mixture_is_found():
    with pytest.raises(ValueError, match="preds labels must be 0 to 2, got 5"):
        classification.MulticlassAccuracy(3)(torch.tensor([[5]]), torch.tensor([[0]]))
    metric = classification.BinaryF1Score()
    metric.update(torch.tensor([[0.1]]), torch.tensor([[1]]))
    metric.update(torch.tensor([[-3.0]]), torch.tensor([[1]]))
    with pytest.raises(ValueError, match="scores must be all probabilities or all logits"):
        metric.compute()


def test_a_metric_shows_its_arguments_and_is_plotted():
    for call in (
        "BinaryRecall(zero_division=1.0)",
        "MulticlassFBetaScore(num_classes=3, beta=2.0, multidim_average='samplewise')",
        "MulticlassPrecision(num_classes=3, average='none', ignore_index=(255,))",
        "MultilabelStatScores(threshold=0.25, average='micro', num_labels=2)",
    ):
        assert sorted(repr(eval(f"classification.{call}"))) == sorted(call)
    metric = classification.MulticlassRecall(C, average=None)
    metric.update(*batches("multiclass", "labels", "maps", None, 1)[0])
    assert metric.plot()[0] is not None
    assert metric.higher_is_better
    assert classification.BinaryStatScores().higher_is_better is None
