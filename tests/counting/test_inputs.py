"""Bad input: the exact message, and a state that is what it was before."""

import re

import numpy as np
import pytest
import torch

from segiou import BoundaryIoU, MeanIoU
from segiou.functional import mean_iou


def i(*shape, value=0):
    return torch.full(shape, value, dtype=torch.int64)


def f(*shape):
    return torch.zeros(shape)


def with_values(*values):
    return torch.tensor([values])


RESIZE = (
    'pass upsample="bilinear" if floating score maps (N, C, h, w) are of another size than target (N, H, W), '
    "or resize one of them first"
)
FIT = "preds and target do not fit, got preds of shape"
BAD_INPUT = {
    "a label of target outside": (
        with_values(0, 0, 0),
        with_values(0, 255, 255),
        "target labels must be 0 to 2, got 255 (2 pixels): pass ignore_index=255 to leave them out, "
        "or validate_args=False to leave out all outside",
    ),
    "several labels of target outside": (
        with_values(0, 0, 0, 0),
        with_values(7, -1, -1, 2),
        "target labels must be 0 to 2, got -1 (2 pixels), 7 (1 pixel): pass num_classes=8, labels that are mapped to the "
        "classes, or ignore_index for values to leave out, or validate_args=False to leave out all outside",
    ),
    "a label of preds outside": (
        with_values(0, 3, 1),
        with_values(0, 1, 1),
        "preds labels must be 0 to 2, got 3 (1 pixel): pass validate_args=False to count such pixels as void: "
        "a miss, and no class's false alarm",
    ),
    "more labels than are named": (
        with_values(3, 4, 5, 6, 7, 8, 8),
        with_values(0, 0, 0, 0, 0, 0, 0),
        "preds labels must be 0 to 2, got 8 (2 pixels), 3 (1 pixel), 4 (1 pixel), 5 (1 pixel), 6 (1 pixel) and 1 other "
        "value: pass validate_args=False to count such pixels as void: a miss, and no class's false alarm",
    ),
    "a uint64 above int64": (
        with_values(0),
        torch.tensor([[-1]]).view(torch.uint64),
        "target labels must be 0 to 2, got 18446744073709551615 (1 pixel): pass labels that are mapped to the classes, or "
        "ignore_index for values to leave out, or validate_args=False to leave out all outside",
    ),
    "scores smaller than target": (
        f(2, 3, 4, 4),
        i(2, 8, 8),
        f"{FIT} (2, 3, 4, 4) and target of shape (2, 8, 8): {RESIZE}",
    ),
    "a target with a channel axis": (
        f(2, 3, 4, 4),
        i(2, 1, 4, 4),
        f"{FIT} (2, 3, 4, 4) and target of shape (2, 1, 4, 4): target must have no channel axis, "
        "pass target.squeeze(1)",
    ),
    "labels of another size": (
        i(2, 4, 4),
        i(2, 8, 8),
        f"{FIT} (2, 4, 4) and target of shape (2, 8, 8): preds must be labels of target's shape, "
        "or scores of shape (N, C, ...)",
    ),
    "two axes too many": (
        f(2, 3, 4, 4),
        i(2, 4),
        f"{FIT} (2, 3, 4, 4) and target of shape (2, 4): preds must be labels of target's shape, "
        "or scores of shape (N, C, ...)",
    ),
    "too few channels": (
        f(2, 2, 4, 4),
        i(2, 4, 4),
        "preds must have 3 channels on axis 1 (num_classes=3), got preds of shape (2, 2, 4, 4) and target of "
        "shape (2, 4, 4): pass num_classes=2 if these are all classes",
    ),
    "channels last": (
        f(2, 4, 4, 3),
        i(2, 4, 4),
        "preds must have 3 channels on axis 1 (num_classes=3), got preds of shape (2, 4, 4, 3) and target of shape "
        "(2, 4, 4): pass preds.movedim(-1, 1)",
    ),
    "an image without a batch axis": (
        f(3, 4, 5),
        i(4, 5),
        "preds must have 3 channels on axis 1 (num_classes=3), got preds of shape (3, 4, 5) and target of shape (4, 5): "
        "for one image pass preds[None] and target[None]",
    ),
    "one channel": (
        f(2, 1, 4),
        i(2, 4),
        "preds must have 3 channels on axis 1 (num_classes=3), got preds of shape (2, 1, 4) and target of shape (2, 4): "
        'for the scores of one foreground class pass task="binary"',
    ),
    "a one-hot target": (
        f(2, 3, 4),
        torch.eye(3, dtype=torch.int64)[[0, 1, 2, 0]].T.expand(2, 3, 4),
        "floating preds need a class axis that target has not, got preds of shape (2, 3, 4) and target of shape (2, 3, 4) "
        "and torch.float32: pass target.long().argmax(1) if target is one-hot",
    ),
    "a target of classes that overlap": (
        f(2, 3, 4),
        i(2, 3, 4, value=1),
        "floating preds need a class axis that target has not, got preds of shape (2, 3, 4) and target of shape (2, 3, 4) "
        'and torch.float32: pass task="multilabel" and num_labels=3 if classes may overlap, or target of shape (N, ...)',
    ),
    "a soft target": (
        i(2, 4),
        torch.full((2, 4), 0.25),
        "target must hold labels of an integer dtype or bool, got torch.float32: pass target > 0.5 if it is a soft mask "
        "of one class",
    ),
    "other images": (
        f(2, 3, 4, 4),
        i(5, 4, 4),
        f"{FIT} (2, 3, 4, 4) and target of shape (5, 4, 4): pass the predictions of the same images, there are 2 and 5 "
        "of them",
    ),
    "labels of other images": (
        i(2, 4, 4),
        i(5, 4, 4),
        f"{FIT} (2, 4, 4) and target of shape (5, 4, 4): pass the predictions of the same images, there are 2 and 5 of them",
    ),
    "labels, and a target with a channel axis": (
        i(2, 4, 4),
        i(2, 1, 4, 4),
        f"{FIT} (2, 4, 4) and target of shape (2, 1, 4, 4): target must have no channel axis, pass target.squeeze(1)",
    ),
    "labels with a channel axis": (
        i(2, 1, 4, 4),
        i(2, 4, 4),
        "preds must have 3 channels on axis 1 (num_classes=3), got preds of shape (2, 1, 4, 4) and target of shape "
        "(2, 4, 4): pass preds.squeeze(1) if these are labels",
    ),
    "scores of several scales": (
        [f(2, 3, 4, 4), f(2, 3, 2, 2)],
        i(2, 4, 4),
        "preds must be one tensor of scores or labels for target of shape (2, 4, 4), got a list of 2 tensors with a batch "
        "axis each: pass the one that holds the scores, such as preds[0]",
    ),
    "masks and class labels": (
        (f(2, 3, 4, 4), f(2, 5)),
        i(2, 4, 4),
        "preds must be one tensor of scores or labels for target of shape (2, 4, 4), got a tuple of 2 tensors with a batch "
        "axis each: pass the one that holds the scores, such as preds[0]",
    ),
    "nothing beside a list": (
        [i(2, 2)],
        None,
        "preds and target must list as many images, got 1 and one NoneType",
    ),
    "a number beside a list": (
        3,
        [i(2, 2)],
        'preds must be a tensor, an array, a list of them, or hold the scores as "out", "logits" or "output", got a int',
    ),
    "scores without a class axis": (
        f(2, 4),
        i(2, 4),
        "floating preds need a class axis that target has not, got preds of shape (2, 4) and target of shape (2, 4) and "
        'torch.float32: pass preds of shape (N, C, ...), or integer labels, or task="binary"',
    ),
    "a float target": (
        i(2, 4),
        f(2, 4),
        "target must hold labels of an integer dtype or bool, got torch.float32: pass target.long() if the values are "
        "class ids",
    ),
    "complex preds": (
        f(2, 3, 4).to(torch.complex64),
        i(2, 4),
        "preds must be real scores or integer labels, got torch.complex64",
    ),
    "devices that differ": (
        i(2, 4).to("meta"),
        i(2, 4),
        "preds and target must be on one device, got preds on meta and target on cpu: pass target.to('meta')",
    ),
    "another device than the metric's": (
        i(2, 4).to("meta"),
        i(2, 4).to("meta"),
        "the metric must be on the device of its input, got a metric on cpu and preds and target on meta: "
        "call metric.to('meta') first",
    ),
    "a single number": (
        torch.tensor(1),
        torch.tensor(1),
        "target must have at least one axis, got preds of shape () and target of shape ()",
    ),
    "lists of different lengths": (
        [i(2, 2)],
        [i(2, 2), i(2, 2)],
        "preds and target must list as many images, got 1 and 2",
    ),
    "a mapping without scores": (
        {"aux": f(2, 3, 4), "extra": 1},
        i(2, 4),
        'preds must be a tensor, an array, a list of them, or hold the scores as "out", "logits" or "output", '
        "got keys ['aux', 'extra']",
    ),
    "something else": (
        "masks",
        i(2, 4),
        'preds must be a tensor, an array, a list of them, or hold the scores as "out", "logits" or "output", got a str',
    ),
    "a list of numbers": (
        [1, 2],
        [1, 2],
        "preds must be a tensor, a numpy array or a list of them, got a int",
    ),
    "a number and a list": (
        torch.tensor(1),
        [i(2)],
        "preds and target must list as many images, got a single number and 1",
    ),
    "a masked array": (
        i(2),
        np.ma.masked_array([0, 255], [False, True]),
        "target must not be a masked array: pass target.filled(value) and ignore_index=value",
    ),
    "a sparse tensor": (
        i(2, 2).to_sparse(),
        i(2, 2),
        "preds must be a dense tensor, got layout torch.sparse_coo: pass preds.to_dense() or a list",
    ),
    "large labels of two dtypes": (
        [i(2), i(2)],
        [torch.tensor([2**53 + 1, 0]), torch.zeros(2, dtype=torch.uint64)],
        f"target labels must be 0 to 2, got {2**53 + 1} (1 pixel): pass labels that are mapped to the classes, or "
        "ignore_index for values to leave out, or validate_args=False to leave out all outside",
    ),
    "an array of strings": (
        np.array(["a", "b"]),
        i(2),
        "preds must be an array of numbers, got dtype <U1",
    ),
}


@pytest.mark.parametrize("case", BAD_INPUT)
@pytest.mark.parametrize("call", ["update", "forward"])
def test_bad_input_says_what_and_changes_nothing(case, call):
    preds, target, message = BAD_INPUT[case]
    metric = MeanIoU(3)
    metric.update(with_values(0, 1, 2), with_values(0, 2, 2))
    value, counts, errors = metric.compute(), metric.confmat.clone(), metric.errors.clone()
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}$"):
        getattr(metric, call)(preds, target)
    assert torch.equal(metric.confmat, counts)
    assert torch.equal(metric.errors, errors)
    assert metric.update_count == 1
    assert metric._computed is value
    if "metric's" in case:
        return  # a function has no device of its own
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        mean_iou(preds, target, num_classes=3)


def test_a_bad_image_in_a_list_leaves_the_good_ones_uncounted():
    metric = MeanIoU(3)
    with pytest.raises(ValueError, match="got 9"):
        metric.update([i(2, 2), i(3, 3)], [i(2, 2), i(3, 3, value=9)])
    assert metric.update_count == 0
    assert int(metric.confmat.sum()) == 0


def test_the_remedies_help():
    preds, target = with_values(0, 3, 1), with_values(255, 1, -1)
    assert MeanIoU(3, ignore_index=[255, -1], validate_args=False)(preds, target) == 0
    metric = MeanIoU(3, validate_args=False)
    metric.update(preds, target)
    assert metric.confmat.tolist() == [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], [1, 1, 0, 0]]
    metric.compute()
    assert MeanIoU(3, ignore_index=[255, -1])(with_values(0, 1, 1), target) == 1


def test_a_nan_does_not_hide_the_range_of_scores():
    with pytest.raises(ValueError, match="got 1 pixel outside, from 0.5 to 1.7"):
        MeanIoU(task="binary").update(torch.tensor([[float("nan"), 1.7, 0.5]]), i(1, 3))


@pytest.mark.parametrize("scores", [[-0.5, 0.5], [0.5, 1.5], [-3.0, 8.0]])
def test_logits_taken_for_probabilities_are_found(scores):
    metric = MeanIoU(task="binary")
    low, high = min(scores), max(scores)
    outside = sum(not 0 <= score <= 1 for score in scores)
    message = (
        f"scores must be probabilities between 0 and 1, got {outside} pixel{'s' * (outside > 1)} outside, from {low:g} to "
        f"{high:g}: pass from_logits=True for logits, or validate_args=False to take them as they are"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        metric.update(torch.tensor([scores]), i(1, 2))
    assert metric.update_count == 0
    MeanIoU(task="binary", from_logits=True).update(torch.tensor([scores]), i(1, 2))
    MeanIoU(task="binary", validate_args=False).update(torch.tensor([scores]), i(1, 2))


def test_binary_messages():
    metric = MeanIoU(task="binary")
    with pytest.raises(ValueError, match=re.escape("target labels must be 0 to 1, got 255 (1 pixel)")):
        metric.update(with_values(0, 1), with_values(255, 1))
    with pytest.raises(ValueError, match=re.escape(f"{FIT} (1, 2) and target of shape (1, 3): {RESIZE}")):
        metric.update(f(1, 2), i(1, 3))
    with pytest.raises(
        ValueError, match=r"preds must have 2 channels on axis 1 \(num_classes=2\), got preds of shape \(1, 3, 4\)"
    ):
        metric.update(f(1, 3, 4), i(1, 4))


def test_no_message_advises_to_throw_the_foreground_away():
    remedy = re.escape("pass target > 0 if 255 is the foreground, or ignore_index=255 if it is unlabelled")
    with pytest.raises(ValueError, match=remedy):
        MeanIoU(task="binary").update(with_values(0, 1), with_values(0, 255))
    with pytest.raises(ValueError, match="map the labels to 0 and 1"):
        MeanIoU(task="binary").update(with_values(0, 1), with_values(0, 2))
    with pytest.raises(ValueError, match='for one foreground class pass task="binary" in place of num_classes=1'):
        MeanIoU(1).update(f(1, 1, 2), with_values(0, 1))


def test_multilabel_messages():
    metric = MeanIoU(task="multilabel", num_labels=3)
    message = (
        "preds and target must have 3 labels on axis 1 (num_labels=3), got preds of shape (2, 4, 5) and target of "
        "shape (2, 4, 5)"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        metric.update(f(2, 4, 5), i(2, 4, 5))
    with pytest.raises(ValueError, match="preds must be labels of target's shape or scores of it"):
        metric.update(i(2, 3, 5), i(2, 5))


def test_nan_scores_are_counted_and_warned_of_once():
    metric = MeanIoU(2)
    scores = torch.tensor([[[0.0, float("nan")], [1.0, 0.0]]])
    metric.update(scores, i(1, 2))
    metric.update(scores, i(1, 2))
    assert metric.errors.tolist() == [0, 0, 2, 0]
    message = "2 pixels had nan among their scores; a nan wins the argmax, and in a binary score it is negative"
    with pytest.warns(UserWarning, match=f"^{message}$"):
        metric.compute()
    metric.update(scores, i(1, 2))
    metric.compute()  # not again: pytest makes a warning an error
    metric.reset()
    metric.update(scores, i(1, 2))
    with pytest.warns(UserWarning, match="1 pixel had nan"):
        metric.compute()
    with pytest.warns(UserWarning, match="1 pixel had nan"):
        MeanIoU(task="binary")(torch.tensor([[0.2, float("nan")]]), i(1, 2))


def test_bad_labels_that_an_accelerator_has_only_counted_are_raised_by_compute():
    metric = MeanIoU(3, ignore_index=255)
    metric.update(with_values(0, 1), with_values(0, 1))
    metric.errors += torch.tensor([2, 1000, 0, 0])
    message = (
        "labels must be 0 to 2 or 255, got 1,000 pixels of target and 2 pixels of preds outside since the last reset, over "
        "all processes: pass ignore_index for target values to leave out, or validate_args=False"
    )
    for _ in range(2):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            metric.compute()
    assert metric.confmat.trace() == 2
    metric.reset()
    metric.update(with_values(0, 1), with_values(0, 1))
    assert metric.compute() == 1
    binary = MeanIoU(task="binary")
    binary.update(with_values(0, 1), with_values(0, 1))
    binary.errors[3] = 7
    with pytest.raises(
        ValueError, match="^scores must be probabilities between 0 and 1, got 7 pixels outside since the last"
    ):
        binary.compute()


def test_compute_before_update_warns_and_gives_nan():
    with pytest.warns(UserWarning, match="was called before the ``update`` method"):
        assert MeanIoU(3).compute().isnan()


@pytest.mark.parametrize("shape", [(0,), (0, 4), (2, 0), (0, 3, 3)])
def test_an_empty_batch_counts_nothing(shape):
    metric = MeanIoU(3)
    metric.update(i(*shape), i(*shape))
    metric.update(f(shape[0], 3, *shape[1:]), i(*shape))
    assert metric.compute().isnan()


@pytest.mark.parametrize(
    ("preds", "target", "remedy"),
    [
        (f(2, 2, 4, 4), i(2, 1, 4, 4), "target must have no channel axis, pass target.squeeze(1)"),
        (f(2, 4, 4, 1), i(2, 4, 4), "pass preds.squeeze(-1)"),
        (f(2, 3, 4, 4), i(2, 4, 4), "pass the scores of the positive class alone, of target's shape"),
    ],
)
def test_channels_of_a_binary_task_have_remedies_that_it_can_follow(preds, target, remedy):
    with pytest.raises(ValueError, match=f"{re.escape(f'target of shape {tuple(target.shape)}: {remedy}')}$"):
        MeanIoU(task="binary").update(preds, target)


@pytest.mark.parametrize("build", [MeanIoU, lambda classes: mean_iou([0], [0], classes)])
def test_a_matrix_that_does_not_fit_into_memory_says_how_large_it_is(build, monkeypatch):
    monkeypatch.setattr("segiou.counting.memory.physical_memory", lambda: 8 * 2**30)
    with pytest.raises(
        ValueError,
        match=r"num_classes=100000 needs a matrix of 100,001 x 100,001 counts \(int64\), which takes 74.5 GiB of memory, "
        r"and this machine has 8.0 GiB: pass fewer classes",
    ):
        build(100000)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.uint64])
def test_a_prediction_where_the_target_is_ignored_may_be_anything(dtype):
    """No score depends on it: many models write the ignored value there too."""
    preds, target = with_values(0, 1, 255, 255, 7).to(dtype), with_values(0, 1, 255, 1, 255).to(dtype)
    metric = MeanIoU(3, ignore_index=255)
    metric.update(preds[:, [0, 1, 2, 4]], target[:, [0, 1, 2, 4]])
    assert metric.compute() == 1
    assert metric.confmat[-1].tolist() == [0, 0, 0, 2]
    with pytest.raises(ValueError, match=re.escape("preds labels must be 0 to 2, got 255 (1 pixel)")):
        metric.update(preds, target)
    ignored_class = MeanIoU(3, ignore_index=0)
    ignored_class.update(with_values(9, 1), with_values(0, 1))
    assert ignored_class.compute() == 1


def test_binary_scores_of_three_axes_may_have_a_channel_axis():
    scores, mask = torch.rand(4, 1, 7), torch.randint(0, 2, (4, 7))
    plain = MeanIoU(task="binary")(scores[:, 0], mask)
    assert MeanIoU(task="binary")(scores, mask) == plain
    assert MeanIoU(task="binary")(scores[:, 0], mask[:, None]) == plain
    assert MeanIoU(task="binary")(scores, mask[:, None]) == plain
    labels = scores > 0.5
    assert MeanIoU(task="binary")(labels, mask) == MeanIoU(task="binary")(labels, mask[:, None]) == plain


def test_binary_maps_of_one_row_are_images_and_have_no_channel_axis():
    """Every pixel of an image of one row is at its border; of a line of pixels only those at the ends would be."""
    target = torch.tensor([[[0, 1, 1, 1, 1, 1, 1, 1, 0]], [[1, 1, 1, 1, 1, 1, 1, 1, 1]]])
    scores = torch.tensor([[[0, 1, 1, 1, 0, 1, 1, 1, 0]], [[1, 1, 1, 1, 1, 1, 1, 1, 1]]]).float()
    found, expected = (m(scores, target) for m in (BoundaryIoU(task="binary", pixels=1), MeanIoU(task="binary")))
    assert float(found) == float(expected) == pytest.approx(15 / 16)
