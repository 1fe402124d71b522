"""The twins of torchmetrics' Jaccard indices and confusion matrices, held to torchmetrics itself and to scikit-learn."""

import copy
import inspect
import itertools
import pickle
import re

import numpy as np
import pytest
import torch
import torchmetrics
from sklearn import metrics as sklearn
from torchmetrics import ClasswiseWrapper, MetricCollection
from torchmetrics import classification as theirs
from torchmetrics import functional as their_wrappers
from torchmetrics.functional import classification as their_functions
from torchmetrics.utilities.enums import ClassificationTask

import segiou
from segiou import classification, functional
from segiou.classification import tasks
from tests.helpers.task_cases import (
    AVERAGES,
    IGNORED,
    KINDS,
    SHAPES,
    SIZES,
    TASKS,
    C,
    L,
    batches,
    quietly,
    require_same,
)

INPUTS = [(task, kind, shape) for task in TASKS for kind in KINDS for shape in SHAPES]
every_input = pytest.mark.parametrize(("task", "kind", "shape"), INPUTS)


@every_input
def test_jaccard_indices_are_torchmetrics_own(task, kind, shape):
    name = f"{TASKS[task]}JaccardIndex"
    for ignored, average, zero in itertools.product(IGNORED[task], AVERAGES[task], [0.0, 1.0]):
        arguments = SIZES[task] | {"ignore_index": ignored, "zero_division": zero}
        arguments |= {} if task == "binary" else {"average": average}
        own, other = getattr(segiou, name)(**arguments), getattr(theirs, name)(**arguments)
        for preds, target in batches(task, kind, shape, ignored):
            require_same(own(preds, target), other(preds, target))
        require_same(own.compute(), other.compute())


@every_input
def test_confusion_matrices_are_torchmetrics_own(task, kind, shape):
    name = f"{TASKS[task]}ConfusionMatrix"
    for ignored, normalize in itertools.product(IGNORED[task], [None, "none", "true", "pred", "all"]):
        arguments = SIZES[task] | {"ignore_index": ignored, "normalize": normalize}
        own, other = getattr(segiou, name)(**arguments), getattr(theirs, name)(**arguments)
        for preds, target in batches(task, kind, shape, ignored):
            require_same(quietly(own, preds, target), quietly(other, preds, target))
        require_same(quietly(own.compute), quietly(other.compute))


@pytest.mark.parametrize("task", TASKS)
def test_functions_are_torchmetrics_own_argument_by_argument(task):
    preds, target = batches(task, "labels", "maps", -1, 1)[0]
    sizes = [C] if task == "multiclass" else [L, 0.5] if task == "multilabel" else [0.5]
    averages = [[average] for average in AVERAGES[task]] if task != "binary" else [[]]
    for average, zero in itertools.product(averages, [0.0, 1.0]):
        own, other = (getattr(module, f"{task}_jaccard_index") for module in (functional, their_functions))
        arguments = [preds, target, *sizes, *average, -1, True, zero]
        require_same(own(*arguments), other(*arguments))
        arguments = [preds, target, task, 0.5, C, L, *(average or ["macro"]), -1, True, zero]
        require_same(functional.jaccard_index(*arguments), their_wrappers.jaccard_index(*arguments))
    for normalize in (None, "true"):
        own, other = (getattr(module, f"{task}_confusion_matrix") for module in (functional, their_functions))
        arguments = [preds, target, *sizes, normalize, -1, True]
        require_same(quietly(own, *arguments), quietly(other, *arguments))
        arguments = [preds, target, task, 0.5, C, L, normalize, -1, True]
        own, other = functional.confusion_matrix, their_wrappers.confusion_matrix
        require_same(quietly(own, *arguments), quietly(other, *arguments))


def parameters(function) -> list[tuple]:
    found = inspect.signature(function).parameters.values()
    return [(p.name, p.default) for p in found if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in ("self", "cls")]


@pytest.mark.parametrize("name", classification.__all__)
def test_arguments_have_torchmetrics_order_and_defaults(name):
    wrapper = not name.startswith(("Binary", "Multi"))
    expected = parameters(getattr(torchmetrics, name).__new__ if wrapper else getattr(theirs, name))
    own = parameters(getattr(classification, name))
    assert [p[0] for p in own[: len(expected)]] == [p[0] for p in expected]
    assert own[wrapper : len(expected)] == expected[wrapper:]  # ours have a default task


@pytest.mark.parametrize(
    "name", [name for name in classification.__all__ if hasattr(segiou, name) and name not in ("Precision", "Recall")]
)
def test_arguments_of_functions_have_torchmetrics_order_and_defaults(name):
    wrapper = name in ("JaccardIndex", "ConfusionMatrix")
    twin = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    expected = parameters(getattr(their_wrappers if wrapper else their_functions, twin))
    own = parameters(getattr(functional, twin))
    assert [p[0] for p in own] == [p[0] for p in expected]
    assert own[2 + wrapper :] == expected[2 + wrapper :]


@pytest.mark.parametrize("task", ["binary", "multilabel"])
@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("kind", ["probabilities", "logits"])
def test_scores_are_positive_above_the_threshold(task, threshold, kind):
    own = getattr(segiou, f"{TASKS[task]}ConfusionMatrix")(**SIZES[task], threshold=threshold)
    other = getattr(theirs, f"{TASKS[task]}ConfusionMatrix")(**SIZES[task], threshold=threshold)
    for preds, target in batches(task, kind, "maps", None):
        preds = preds.clone()
        preds[:, :1] = threshold if kind == "probabilities" else 0.0
        require_same(own(preds, target), other(preds, target))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["probabilities", "logits"])
def test_scores_of_any_floating_dtype(kind, dtype):
    for preds, target in batches("binary", kind, "maps", -1):
        own = segiou.BinaryConfusionMatrix(ignore_index=-1)(preds.to(dtype), target)
        require_same(own, theirs.BinaryConfusionMatrix(ignore_index=-1)(preds.to(dtype), target))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("zero", [0.0, 1.0])
def test_where_nothing_was_counted(task, zero):
    """All is ignored: macro over classes and weighted are nan there and here, and all else ``zero_division``."""
    preds, target = batches(task, "labels", "maps", None, 1)[0]
    for average in AVERAGES[task]:
        arguments = SIZES[task] | {"ignore_index": 255, "zero_division": zero}
        arguments |= {} if task == "binary" else {"average": average}
        name = f"{TASKS[task]}JaccardIndex"
        own, other = getattr(segiou, name)(**arguments), getattr(theirs, name)(**arguments)
        require_same(own(preds, torch.full_like(target, 255)), other(preds, torch.full_like(target, 255)))


# ---- scikit-learn


@pytest.mark.parametrize("average", ["macro", "micro", "weighted", None])
def test_multiclass_equals_scikit_learn(average):
    preds, target = (torch.cat(x) for x in zip(*batches("multiclass", "labels", "flat", None, 20), strict=True))
    own = segiou.MulticlassJaccardIndex(C, average, zero_division=1.0)(preds, target)
    present = range(C) if average is None else np.unique(np.concatenate([preds, target]))
    expected = sklearn.jaccard_score(target, preds, average=average, labels=present, zero_division=1.0)
    np.testing.assert_allclose(own.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted", None])
def test_multilabel_equals_scikit_learn(average):
    preds, target = (torch.cat(x) for x in zip(*batches("multilabel", "labels", "flat", None, 20), strict=True))
    preds[:, 1] = target[:, 1] = 0
    own = segiou.MultilabelJaccardIndex(L, average=average, zero_division=1.0)(preds, target)
    expected = sklearn.jaccard_score(target.numpy(), preds.numpy(), average=average, zero_division=1.0)
    np.testing.assert_allclose(own.numpy(), expected, atol=1e-6)
    matrix = segiou.MultilabelConfusionMatrix(L)(preds, target)
    assert matrix.tolist() == sklearn.multilabel_confusion_matrix(target.numpy(), preds.numpy()).tolist()


@pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
def test_binary_equals_scikit_learn(normalize):
    preds, target = batches("binary", "labels", "flat", None, 1)[0]
    matrix = segiou.BinaryConfusionMatrix(normalize=normalize)(preds, target)
    np.testing.assert_allclose(matrix.numpy(), sklearn.confusion_matrix(target, preds, normalize=normalize), atol=1e-6)
    value = float(segiou.BinaryJaccardIndex()(preds, target))
    assert value == pytest.approx(sklearn.jaccard_score(target, preds), abs=1e-6)


# ---- one name, one object


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", ["JaccardIndex", "ConfusionMatrix"])
def test_the_wrapper_gives_the_class_of_the_task(task, kind):
    wrapper, own = getattr(segiou, kind), getattr(segiou, f"{TASKS[task]}{kind}")
    preds, target = batches(task, "labels", "maps", None, 1)[0]
    expected = own(**SIZES[task])(preds, target)
    for metric in (
        wrapper(task=task, num_classes=C, num_labels=L),  # what the task has no use for is left alone
        wrapper(task, 0.5, C, L),
        wrapper(task.upper(), num_classes=C, num_labels=L),
        wrapper(task=ClassificationTask.from_str(task), num_classes=C, num_labels=L),
    ):
        assert type(metric) is own
        assert isinstance(metric, wrapper)
        for copied in (metric, pickle.loads(pickle.dumps(metric)), metric.clone(), copy.deepcopy(metric)):
            assert type(copied) is own
            require_same(copied(preds, target), expected)
    metric = wrapper(task=task, num_classes=C, num_labels=L)
    metric.merge_state(own(**SIZES[task]))


def test_the_number_of_classes_may_come_first():
    preds, target = batches("multiclass", "labels", "maps", None, 1)[0]
    for metric in (segiou.JaccardIndex(C), segiou.JaccardIndex(num_classes=C), segiou.JaccardIndex(np.int64(C))):
        assert type(metric) is segiou.MulticlassJaccardIndex
        require_same(metric(preds, target), theirs.MulticlassJaccardIndex(C)(preds, target))
    require_same(functional.jaccard_index(preds, target, C), theirs.MulticlassJaccardIndex(C)(preds, target))
    matrix = theirs.MulticlassConfusionMatrix(C)(preds, target)
    require_same(segiou.ConfusionMatrix(C)(preds, target), matrix)
    require_same(functional.confusion_matrix(preds, target, C), matrix)


def test_a_label_set_or_its_name_may_come_first():
    preds, target = batches("multiclass", "labels", "maps", 255, 1)[0]
    expected = segiou.MeanIoU("cityscapes")(preds, target)
    for first in ("cityscapes", segiou.LabelSet.of("cityscapes")):
        for metric in (
            segiou.JaccardIndex(first),
            segiou.MulticlassJaccardIndex(first),
            segiou.JaccardIndex(num_classes=first),
        ):
            require_same(metric(preds, target), expected)
        assert segiou.ConfusionMatrix(first).class_names[0] == "road"
    require_same(functional.jaccard_index(preds, target, "cityscapes"), expected)


def test_a_class_of_the_users_own_stays_what_it_is():
    class Mine(segiou.JaccardIndex):
        pass

    assert type(Mine(C)) is Mine


def test_segious_own_arguments_are_taken():
    preds, target = batches("multiclass", "labels", "maps", 255, 1)[0]
    target[0, 0] = -1
    arguments = {"ignore_index": [255, -1], "exclude": [0], "absent": 1.0, "class_names": list("abcde")}
    expected = segiou.MeanIoU(C, **arguments)(preds, target)
    require_same(segiou.JaccardIndex(C, **arguments)(preds, target), expected)
    require_same(segiou.MulticlassJaccardIndex(C, **arguments)(preds, target), expected)
    skipped = segiou.MulticlassJaccardIndex(C, None, absent="skip", ignore_index=[255, -1])(preds, target)
    assert skipped[4].isnan()
    groups = {"low": [0, 1], "high": [2, 3, 4]}
    expected = segiou.MeanIoU(C, ignore_index=[255, -1], groups=groups)(preds, target)
    require_same(segiou.JaccardIndex(C, ignore_index=[255, -1], groups=groups)(preds, target), expected)


def test_wrappers_and_collections_of_torchmetrics_take_them():
    preds, target = batches("multiclass", "labels", "maps", None, 1)[0]
    by_class = ClasswiseWrapper(segiou.MulticlassJaccardIndex(C, None))
    assert list(by_class(preds, target)) == [f"multiclassjaccardindex_{c}" for c in range(C)]
    collection = MetricCollection(
        [segiou.MulticlassJaccardIndex(C), segiou.MulticlassConfusionMatrix(C), segiou.Dice(C)]
    )
    collection.update(preds, target)
    assert len(collection.compute_groups) == 1
    preds, target = batches("binary", "probabilities", "maps", None, 1)[0]
    collection = MetricCollection(
        {
            "guessed": segiou.BinaryJaccardIndex(),
            "matrix": segiou.BinaryConfusionMatrix(),
            "told": segiou.MeanIoU(task="binary"),
            "logits": segiou.BinaryJaccardIndex(from_logits=True),
        }
    )
    collection.update(preds, target)
    assert sorted(map(sorted, collection.compute_groups.values())) == [["guessed", "matrix"], ["logits"], ["told"]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: segiou.JaccardIndex("panoptic", num_classes=3), "task must be one of 'multiclass', 'binary', 'multilabel', got 'panoptic' with num_classes=3"),
        (lambda: segiou.ConfusionMatrix(3, num_classes=3), "task must be one of 'multiclass', 'binary', 'multilabel', got 3 with num_classes=3"),
        (lambda: segiou.JaccardIndex(), "num_classes must be an integer of at least 1 for task='multiclass', got None"),
        (lambda: segiou.JaccardIndex("multilabel"), "num_labels must be an integer of at least 1 for task='multilabel', got None"),
        (lambda: segiou.JaccardIndex(3, average="mean"), 'average must be "macro", "micro", "weighted", "none" or None, got \'mean\''),
        (lambda: segiou.BinaryJaccardIndex(zero_division=2), "zero_division must be a score between 0 and 1, or nan, got 2"),
        (lambda: segiou.BinaryJaccardIndex(1.5), "threshold must be a probability between 0 and 1, got 1.5"),
        (lambda: segiou.BinaryJaccardIndex(ignore_index=1), "ignore_index=1 leaves no positive class to score for task='binary'"),
        (lambda: segiou.BinaryJaccardIndex(from_logits="no"), "from_logits must be True or False, got 'no'"),
        (lambda: segiou.MulticlassConfusionMatrix(3, normalize="rows"), 'normalize must be None, "true", "pred" or "all", got \'rows\''),
        (lambda: segiou.MulticlassJaccardIndex(3, validate_args="no"), "validate_args must be True or False, got 'no'"),
    ],
)  # fmt: skip
def test_bad_arguments_say_what_and_what_else(make, message):
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}$"):
        make()


# ---- where torchmetrics is wrong

MIXED = (
    "scores must be all probabilities or all logits, got {} with scores between 0 and 1 only and {} with others since "
    "the last reset: pass from_logits=True if all are logits, or from_logits=False if all are probabilities"
)
ONE, TWO = "1 batch", "2 batches"
TARGET = torch.tensor([[0, 1, 1, 0]])
PROBABILITIES = torch.tensor([[0.1, 0.9, 0.3, 0.2]])
SCORES = torch.tensor([[-3.0, 2.0, -1.0, -2.0]])


def test_a_label_outside_is_counted_in_another_cell_there_and_raises_here():
    preds, target = torch.tensor([5]), torch.tensor([0])
    assert theirs.MulticlassConfusionMatrix(3)(preds, target)[1, 2] == 1
    for metric in (segiou.MulticlassConfusionMatrix(3), segiou.MulticlassJaccardIndex(3)):
        with pytest.raises(ValueError, match=r"preds labels must be 0 to 2, got 5 \(1 pixel\)"):
            metric.update(preds, target)
        assert metric.confmat.sum() == metric.update_count == 0
    with pytest.raises(ValueError, match="preds labels must be 0 to 2, got 5"):
        functional.multiclass_confusion_matrix(preds, target, 3)
    matrix = segiou.MulticlassConfusionMatrix(3, validate_args=False)
    assert matrix(preds, target).sum() == 0
    assert matrix.confmat[0, 3] == 1


def test_probabilities_and_logits_are_mixed_there_and_refused_here():
    """Logits that lie between 0 and 1 are read as probabilities: 0.3 is positive among logits, and negative alone."""
    logits, small = torch.tensor([[-3.0, 0.3, 0.3, 2.0]]), torch.tensor([[0.3, 0.3, 0.3, 0.3]])
    there = theirs.BinaryConfusionMatrix()
    there.update(logits, TARGET)
    there.update(small, TARGET)
    right = theirs.BinaryConfusionMatrix()(torch.cat([logits, small]), torch.cat([TARGET, TARGET]))
    assert not torch.equal(there.compute(), right)
    own = segiou.BinaryConfusionMatrix()
    own.update(logits, TARGET)
    own.update(small, TARGET)
    with pytest.raises(ValueError, match=f"^{re.escape(MIXED.format(ONE, ONE))}$"):
        own.compute()
    told = segiou.BinaryConfusionMatrix(from_logits=True)
    told.update(logits, TARGET)
    told.update(small, TARGET)
    require_same(told.compute(), right)
    own.reset()
    assert own(small, TARGET).tolist() == [[2, 0], [2, 0]]


@pytest.mark.parametrize("task", ["binary", "multilabel"])
def test_a_mixture_is_found_after_a_merge_in_plots_and_for_any_task(task):
    arguments = [] if task == "binary" else [4]
    a, b = (getattr(segiou, f"{TASKS[task]}JaccardIndex")(*arguments) for _ in range(2))
    a.update(PROBABILITIES, TARGET)
    a.update(PROBABILITIES, TARGET)
    b.update(SCORES, TARGET)
    a.merge_state(b)
    for function in (a.compute, a.plot):
        with pytest.raises(ValueError, match=f"^{re.escape(MIXED.format(TWO, ONE))}$"):
            function()


def test_batches_that_could_be_either_are_no_mixture():
    """Labels, empty batches, ignored pixels and nan say nothing of what the scores are."""
    metric = segiou.BinaryJaccardIndex(ignore_index=255)
    metric.update(SCORES, TARGET)
    metric.update(TARGET, TARGET)
    metric.update(SCORES[:0], TARGET[:0])
    metric.update(SCORES[:, :0], TARGET[:, :0])
    metric.update([], [])
    metric.update(PROBABILITIES, torch.full_like(TARGET, 255))
    assert metric.compute() == theirs.BinaryJaccardIndex()(torch.cat([SCORES, TARGET]), torch.cat([TARGET, TARGET]))
    metric.update(torch.full_like(PROBABILITIES, torch.nan), TARGET)
    with pytest.warns(UserWarning, match="4 pixels had nan"):
        metric.compute()


def test_what_the_scores_are_can_be_said():
    for scores, from_logits in ((PROBABILITIES, False), (SCORES, True)):
        metric = segiou.BinaryJaccardIndex(from_logits=from_logits)
        require_same(metric(scores, TARGET), theirs.BinaryJaccardIndex()(scores, TARGET))
        assert metric.errors.tolist() == [0, 0, 0, 0]
    with pytest.raises(ValueError, match="scores must be probabilities between 0 and 1, got 4 pixels outside"):
        segiou.BinaryJaccardIndex(from_logits=False)(SCORES, TARGET)


def test_a_nan_flips_the_whole_batch_there_and_is_negative_here():
    scores = torch.tensor([[0.1, 0.9, 0.3, torch.nan]])
    assert theirs.BinaryConfusionMatrix()(scores, TARGET).tolist() == [[1, 1], [0, 2]]
    metric = segiou.BinaryConfusionMatrix()
    with pytest.warns(UserWarning, match="1 pixel had nan"):
        assert metric(scores, TARGET).tolist() == [[2, 0], [1, 1]]


def test_a_nan_for_zero_division_spreads_there_and_is_left_out_here():
    preds, target = torch.tensor([0, 1]), torch.tensor([0, 1])
    assert theirs.MulticlassJaccardIndex(3, zero_division=torch.nan)(preds, target).isnan()
    assert segiou.MulticlassJaccardIndex(3, zero_division=torch.nan)(preds, target) == 1
    assert segiou.MulticlassJaccardIndex(3, None, zero_division=torch.nan)(preds, target)[2].isnan()


def test_an_ignored_value_is_taken_for_a_label_there_and_not_here():
    """Its function leaves label 0 out where the target value 0 is ignored, and of the union only, so above 1."""
    preds, target = torch.ones(2, 3, dtype=torch.int64), torch.ones(2, 3, dtype=torch.int64)
    assert their_functions.multilabel_jaccard_index(preds, target, 3, average="micro", ignore_index=0) > 1
    assert functional.multilabel_jaccard_index(preds, target, 3, average="micro", ignore_index=0) == 1


def test_a_normalized_matrix_warns_of_shares_of_nothing_as_there():
    preds, target = torch.tensor([0, 0, 1]), torch.tensor([0, 0, 0])
    for normalize, number in (("true", 6), ("pred", 3)):
        for module, text in ((theirs, f"{number} NaN values"), (segiou, f"{number} entries of the normalized")):
            metric = module.MulticlassConfusionMatrix(3, normalize=normalize)
            metric.update(preds, target)
            with pytest.warns(UserWarning, match=text):
                metric.compute()
    assert quietly(segiou.MulticlassConfusionMatrix(3, normalize="all"), preds, target).sum() == 1


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_floating_targets_of_whole_numbers_are_labels_as_there(task, dtype):
    for kind in ("JaccardIndex", "ConfusionMatrix", "Accuracy"):
        for ignored in IGNORED[task]:
            own, expected = (
                getattr(classification, f"{TASKS[task]}{kind}")(**SIZES[task], ignore_index=ignored) for _ in range(2)
            )
            for preds, target in batches(task, "logits", "maps", ignored):
                require_same(own(preds, target.to(dtype)), expected(preds, target))
            require_same(own.compute(), expected.compute())
    preds, target = batches(task, "labels", "maps", None, 1)[0]
    if task != "multilabel":  # its matrix there counts integers only
        other = getattr(theirs, f"{TASKS[task]}JaccardIndex")(**SIZES[task])
        require_same(
            getattr(segiou, f"{TASKS[task]}JaccardIndex")(**SIZES[task])(preds, target.to(dtype).numpy()),
            other(preds, target.to(dtype)),
        )


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("value", [0.5, torch.nan, torch.inf, 1e30])
@pytest.mark.parametrize("checked", [True, False])
def test_floating_targets_of_other_numbers_raise(task, value, checked, monkeypatch):
    preds, target = batches(task, "labels", "maps", None, 1)[0]
    target = target.double()
    target.view(-1)[:2] = value
    metric = getattr(segiou, f"{TASKS[task]}ConfusionMatrix")(
        **SIZES[task], validate_args=checked, ignore_index=[-1, 255]
    )
    for given in (target, target.numpy(), list(target)):
        images = list(preds) if isinstance(given, list) else preds
        with pytest.raises(ValueError, match=r"target must hold (whole numbers, got 2 pixels of other values|labels)"):
            metric.update(images, given)
    assert metric.confmat.sum() == metric.update_count == 0
    with monkeypatch.context() as patch:  # on an accelerator they are counted, and raise in compute
        patch.setattr(tasks, "answers_at_once", lambda values: False)
        labels = tasks.whole_labels(target, metric.rules)
    assert labels.view(-1)[:2].tolist() == [-2, -2]
    assert torch.equal(labels.view(-1)[2:], target.view(-1)[2:].long())


@pytest.mark.parametrize("kind", ["JaccardIndex", "ConfusionMatrix", "Accuracy", "F1Score"])
def test_a_wrong_task_names_the_tasks(kind):
    text = "task must be one of 'multiclass', 'binary', 'multilabel', or the name of a label set, one of 'cityscapes', "
    with pytest.raises(ValueError, match=f"^{re.escape(text)}.*, got 'multi-class'$"):
        getattr(classification, kind)("multi-class")


def test_labels_that_are_not_whole_are_cut_off_there_and_raise_here():
    preds, target = torch.tensor([1.9]), torch.tensor([1])
    assert theirs.MulticlassConfusionMatrix(3)(preds, target)[1, 1] == 1
    with pytest.raises(ValueError, match="floating preds need a class axis that target has not"):
        segiou.MulticlassConfusionMatrix(3)(preds, target)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
@pytest.mark.parametrize("task", ["binary", "multilabel"])
def test_scores_of_ignored_pixels_say_nothing(task, dtype):
    """As torchmetrics has it for binary; for multilabel it takes the whole batch for logits."""
    scores, target = PROBABILITIES.clone(), TARGET.to(dtype, copy=True)
    scores[0, 3], target[0, 3] = -1, 255
    own = getattr(functional, f"{task}_confusion_matrix")
    sizes = [] if task == "binary" else [4]
    expected = own(PROBABILITIES[:, :3], TARGET[:, :3], *([3] if sizes else []))
    found = own(scores, target, *sizes, ignore_index=[-1, 255])
    require_same(found if task == "binary" else found[:3], expected)
    if task == "binary":
        require_same(found, their_functions.binary_confusion_matrix(scores, target, ignore_index=255))
    scores[0, 0] = -0.5
    require_same(
        own(scores, target, *sizes, ignore_index=[-1, 255, 2**16]),
        own(scores, target, *sizes, ignore_index=255, from_logits=True),
    )


# ---- how a batch is read


@pytest.mark.parametrize("task", ["binary", "multilabel"])
@pytest.mark.parametrize("kind", KINDS)
def test_on_an_accelerator_a_batch_is_counted_both_ways_and_the_right_one_is_kept(task, kind, monkeypatch):
    name = f"{TASKS[task]}ConfusionMatrix"
    for ignored in IGNORED[task]:
        own, other = (getattr(segiou, name)(**SIZES[task], ignore_index=ignored) for _ in range(2))
        for preds, target in batches(task, kind, "maps", ignored):
            preds = preds if kind == "labels" else preds.clone().index_fill_(-1, torch.tensor([0]), torch.nan)
            own.update(preds, target)
            with monkeypatch.context() as patch:
                patch.setattr(tasks, "answers_at_once", lambda values: False)
                other.update(preds, target)
        assert torch.equal(own.confmat, other.confmat)
        assert torch.equal(own.errors, other.errors)
        assert own.errors[4:].tolist() == {"labels": [0, 0], "probabilities": [2, 0], "logits": [0, 2]}[kind]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_update_does_not_wait_for_a_gpu(task, kind):
    own = getattr(segiou, f"{TASKS[task]}ConfusionMatrix")(**SIZES[task], ignore_index=-1)
    on_device = own.clone().cuda()
    first, second = batches(task, kind, "maps", -1)
    on_gpu = [x.cuda() for x in second]
    on_device.update(*(x.cuda() for x in first))  # compiles the kernels
    torch.cuda.set_sync_debug_mode("error")
    try:
        on_device.update(*on_gpu)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    own.update(*first)
    own.update(*second)
    assert torch.equal(on_device.compute().cpu(), own.compute())
    assert torch.equal(on_device.errors.cpu(), own.errors)


def test_one_score_among_many_slices_says_what_the_batch_is(monkeypatch):
    monkeypatch.setattr(tasks, "SLICE", 8)
    target = torch.zeros(5, 2, 3, dtype=torch.int64)
    for place in range(5):
        scores = torch.full((5, 2, 3), 0.2)
        scores[place, 1, 1] = 1.5
        assert segiou.BinaryConfusionMatrix()(scores, target).tolist() == [[0, 30], [0, 0]]
    assert segiou.BinaryConfusionMatrix()(torch.full((5, 2, 3), 0.2), target).tolist() == [[30, 0], [0, 0]]


def test_lists_of_images_are_read_as_one_batch_and_score_maps_are_resized():
    images = [torch.full((2, 2), 0.2), torch.full((3, 1), 1.5)]
    labels = [torch.zeros(2, 2, dtype=torch.int64), torch.zeros(3, 1, dtype=torch.int64)]
    assert segiou.BinaryConfusionMatrix()(images, labels).tolist() == [[0, 7], [0, 0]]
    small, target = torch.tensor([[[-1.0]], [[0.4]]]), torch.zeros(2, 4, 4, dtype=torch.int64)
    metric = segiou.BinaryConfusionMatrix(upsample="nearest", ignore_index=255)
    assert metric(small, target).tolist() == [[16, 16], [0, 0]]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_counts_of_single_images_are_read_by_the_same_rule(task, kind):
    preds, target = batches(task, kind, "maps", -1, 1)[0]
    metric = getattr(segiou, f"{TASKS[task]}ConfusionMatrix")(**SIZES[task], validate_args=False)
    each, whole = metric.counted(preds, target, per_image=True), metric.counted(preds, target)
    assert each.counts.shape == (2, *metric.confmat.shape)
    assert torch.equal(each.counts.sum(0), whole.counts)
    assert torch.equal(each.errors, whole.errors)
    assert whole.errors.tolist()[:4] == [0, int((target == -1).sum()), 0, 0]
    assert metric.errors.shape == whole.errors.shape


def test_single_images_are_scored_and_mixtures_found_there_too():
    mean = segiou.Imagewise(segiou.BinaryJaccardIndex())
    mean.update(SCORES, TARGET)
    assert mean.compute() == theirs.BinaryJaccardIndex()(SCORES, TARGET)
    mean.update(PROBABILITIES, TARGET)
    with pytest.raises(ValueError, match=f"^{re.escape(MIXED.format(ONE, ONE))}$"):
        mean.compute()


def test_a_metric_shows_its_arguments():
    assert repr(segiou.JaccardIndex(3)) == "MulticlassJaccardIndex(num_classes=3, average='macro')"
    told, asked = segiou.BinaryConfusionMatrix(from_logits=False), segiou.BinaryConfusionMatrix()
    assert repr(told) == "BinaryConfusionMatrix(from_logits=False)"
    assert repr(asked) == "BinaryConfusionMatrix()"


def test_a_compiled_step_takes_them():
    preds, target = batches("binary", "logits", "maps", None, 1)[0]
    for name in ("jaccard_index", "confusion_matrix"):
        step = torch.compile(lambda p, t, name=name: getattr(functional, name)(p, t, "binary"), backend="eager")
        require_same(step(preds, target), getattr(their_wrappers, name)(preds, target, "binary"))
