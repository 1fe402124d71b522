"""Confusion matrices that were counted elsewhere give the scores of the pixels that they were counted of."""

import numpy as np
import pandas as pd
import pytest
import torch

import segiou
from segiou import classification, functional

C, IGNORED = 4, 255


def pixels(seed: int = 0, images: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, C, (images, 12, 9))
    preds = np.where(rng.random(target.shape) < 0.3, rng.integers(0, C, target.shape), target)
    target[rng.random(target.shape) < 0.1] = IGNORED
    return torch.from_numpy(preds), torch.from_numpy(target)


def counted_by_hand(preds: torch.Tensor, target: torch.Tensor, classes: int = C) -> np.ndarray:
    """One plain matrix for each image, as any other library counts it."""
    found = np.zeros((len(preds), classes, classes), np.int64)
    for image in range(len(preds)):
        for p, t in zip(preds[image].flatten().tolist(), target[image].flatten().tolist(), strict=True):
            if t != IGNORED:
                found[image, t, p] += 1
    return found


METRICS = [
    segiou.MeanIoU,
    segiou.Dice,
    segiou.Precision,
    segiou.Recall,
    segiou.FBeta,
    segiou.MeanAccuracy,
    segiou.FrequencyWeightedIoU,
    segiou.GeneralizedDice,
    segiou.PixelAccuracy,
    segiou.CohenKappa,
    segiou.MatthewsCorrCoef,
]


@pytest.mark.parametrize("form", ["plain", "own", "several", "list", "uint16", "transposed"])
@pytest.mark.parametrize("kind", METRICS)
def test_a_matrix_gives_the_score_of_its_pixels(kind, form):
    preds, target = pixels()
    expected = kind(C, ignore_index=IGNORED)
    expected.update(preds, target)
    images = counted_by_hand(preds, target)
    given = {
        "plain": images.sum(0),
        "own": expected.confmat,
        "several": torch.from_numpy(images),
        "list": images.sum(0).tolist(),
        "uint16": images.sum(0).astype(np.uint16),
        "transposed": np.ascontiguousarray(images.sum(0).T).T,
    }[form]
    metric = kind(C, ignore_index=IGNORED)
    metric.update_confmat(given)
    assert torch.equal(metric.compute(), expected.compute())
    if form == "plain":
        name = {segiou.MatthewsCorrCoef: "matthews_corrcoef", segiou.FBeta: "fbeta"}.get(kind)
        name = (
            name
            or "".join(
                "_" * (a.islower() and b.isupper()) + b
                for a, b in zip(" " + kind.__name__, kind.__name__, strict=False)
            ).lower()
        )
        name = {"mean_io_u": "mean_iou", "frequency_weighted_io_u": "frequency_weighted_iou"}.get(name, name)
        function = getattr(functional, f"{name}_from_confmat")
        assert torch.equal(function(given, C, ignore_index=IGNORED), expected.compute())


def test_matrices_and_pixels_add_up():
    preds, target = pixels()
    whole, mixed = (
        segiou.SegmentationMetrics(C, ignore_index=IGNORED),
        segiou.SegmentationMetrics(C, ignore_index=IGNORED),
    )
    whole.update(preds, target)
    mixed.update(preds[:2], target[:2])
    first = mixed.compute()
    mixed.update_confmat(counted_by_hand(preds[2:], target[2:]))
    assert mixed.update_count == 2
    assert mixed.compute() == whole.compute() != first
    mixed.reset()
    mixed.update_confmat(whole.confmat)
    assert torch.equal(mixed.confmat, whole.confmat)
    assert functional.segmentation_metrics_from_confmat(whole.confmat, C, ignore_index=IGNORED) == whole.compute()


def test_pixels_of_an_ignored_class_do_not_count_in_a_matrix_either():
    preds, target = pixels()
    expected = segiou.MeanIoU(C, ignore_index=[0, IGNORED], average="none")
    expected.update(preds, target)
    metric = expected.clone()
    metric.reset()
    metric.update_confmat(counted_by_hand(preds, target))
    own = target == IGNORED
    assert metric.confmat.sum() == expected.confmat.sum() - own.sum()
    assert torch.equal(metric.confmat[:-1], expected.confmat[:-1])
    assert metric.compute().isfinite().sum() >= 3
    torch.testing.assert_close(metric.compute(), expected.compute(), equal_nan=True, rtol=0, atol=0)


def test_groups_exclude_and_absent_apply():
    preds, target = pixels()
    how = {"groups": {"a": [0, 1], "b": [2]}, "exclude": "b", "absent": 0.0, "ignore_index": IGNORED}
    expected = segiou.MeanIoU(C, **how)(preds, target)
    assert functional.mean_iou_from_confmat(counted_by_hand(preds, target).sum(0), C, **how) == expected


def test_binary_and_multilabel():
    rng = np.random.default_rng(1)
    preds, target = (torch.from_numpy(rng.integers(0, 2, (4, 3, 8, 8))) for _ in range(2))
    of_labels = np.stack([counted_by_hand(preds[:, label], target[:, label], 2).sum(0) for label in range(3)])
    multilabel = segiou.MeanIoU(task="multilabel", num_labels=3)
    expected = multilabel(preds, target)
    assert functional.mean_iou_from_confmat(of_labels, task="multilabel", num_labels=3) == expected
    assert functional.mean_iou_from_confmat(multilabel.confmat, task="multilabel", num_labels=3) == expected
    binary = functional.mean_iou(preds[:, 0], target[:, 0], task="binary")
    assert functional.mean_iou_from_confmat(of_labels[0], task="binary") == binary
    jaccard = classification.BinaryF1Score()
    jaccard.update_confmat(of_labels[0])
    assert jaccard.compute() == classification.BinaryF1Score()(preds[:, 0], target[:, 0])
    matrix = classification.MulticlassConfusionMatrix(2)
    matrix.update_confmat(of_labels[0])
    assert np.array_equal(matrix.compute(), of_labels[0])


@pytest.mark.parametrize(
    "make",
    [
        lambda: segiou.ImagewiseIoU(C, ignore_index=IGNORED),
        lambda: segiou.ImagewiseDice(C, ignore_index=IGNORED, over="classes", keep_images=True),
        lambda: segiou.Imagewise(segiou.PixelAccuracy(C, ignore_index=IGNORED), worst=40),
        lambda: segiou.ConfidenceInterval(segiou.MeanIoU(C, ignore_index=IGNORED)),
        lambda: classification.MulticlassRecall(C, ignore_index=IGNORED, multidim_average="samplewise"),
    ],
)
def test_metrics_of_single_images_take_one_matrix_for_each(make):
    preds, target = pixels(images=6)
    expected, metric = make(), make()
    for part in (slice(0, 4), slice(4, 6)):
        ids = {"ids": [f"{i}.png" for i in range(6)][part]} if getattr(metric, "takes_ids", True) else {}
        ids = {} if isinstance(metric, classification.StatScores) else ids
        expected.update(preds[part], target[part], **ids)
        metric.update_confmat(counted_by_hand(preds[part], target[part]), **ids)
    found, wanted = (
        value if isinstance(value, tuple) else (value,) for value in (metric.compute(), expected.compute())
    )
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    if isinstance(metric, classification.StatScores):
        return
    with pytest.raises(
        ValueError,
        match=r"must have shape \(N, 4, 4\) or \(N, 5, 5\), one matrix for each image, got \(4, 4\): pass confmat\[None\]",
    ):
        metric.update_confmat(counted_by_hand(preds, target).sum(0))


def test_two_models_are_compared_by_their_matrices():
    preds, target = pixels(images=6)
    other = torch.where(torch.rand(preds.shape, generator=torch.Generator().manual_seed(0)) < 0.2, 0, preds)
    expected, metric = (segiou.PairedComparison(segiou.MeanIoU(C, ignore_index=IGNORED)) for _ in range(2))
    expected.update(preds, other, target, ids=range(6))
    metric.update_confmat(counted_by_hand(preds, target), counted_by_hand(other, target), ids=range(6))
    assert str(metric.compute()) == str(expected.compute())


@pytest.mark.parametrize("kind", [segiou.BoundaryIoU, segiou.TrimapIoU])
def test_bands_take_the_matrices_that_they_count_themselves(kind):
    preds, target = pixels()
    expected, metric = (kind(C, ignore_index=IGNORED, pixels=1) for _ in range(2))
    expected.update(preds, target)
    metric.update_confmat(metric.counted(preds, target, per_image=True).counts)
    assert torch.equal(metric.compute(), expected.compute())
    size = len(metric.confmat)
    with pytest.raises(
        ValueError,
        match=rf"must have shape \({size}, {size}\), or several .*, got \(4, 4\): pass what confmat of a {kind.__name__}",
    ):
        metric.update_confmat(torch.zeros(C, C, dtype=torch.int64))


EYE = torch.eye(C, dtype=torch.int64)
REFUSED = [
    (torch.eye(3, dtype=torch.int64), ValueError, r"shape \(4, 4\) or \(5, 5\), or several of these on a first axis, got \(3, 3\): build the metric with as many classes"),
    (torch.zeros(4, 5, dtype=torch.int64), ValueError, r"got \(4, 5\)"),
    (torch.zeros(4, dtype=torch.int64), ValueError, r"got \(4,\)"),
    (torch.zeros(1, 1, 4, 4, dtype=torch.int64), ValueError, r"got \(1, 1, 4, 4\)"),
    (-EYE, ValueError, "numbers of pixels, 0 or more, got -1"),
    (EYE * 2**53, ValueError, r"at most 2\^53 pixels"),
    (EYE.float(), TypeError, r"must hold integers, numbers of pixels, got torch.float32: pass integers, such as confmat.astype"),
    (EYE / 4, TypeError, "it is normalized or averaged, pass the counts"),
    (EYE * float("nan"), TypeError, "it is normalized or averaged, pass the counts"),
    (EYE > 0, TypeError, "must hold integers, numbers of pixels, got torch.bool"),
    (EYE.to_sparse(), TypeError, r"pass confmat.to_dense\(\)"),
    (None, TypeError, "must be a tensor, a numpy array"),
    (np.full((C, C), 2**63, np.uint64), ValueError, r"at most 2\^53 pixels, .*, got 2\^63 or more"),
    (pd.DataFrame(np.eye(C, dtype=int)), TypeError, r"got a DataFrame: pass confmat.to_numpy\(\)"),
    ("confmat", TypeError, "must be a tensor, a numpy array"),
    ([[1, 2], [3]], ValueError, "must be a matrix, got rows of different lengths"),
]  # fmt: skip


@pytest.mark.parametrize(("confmat", "error", "text"), REFUSED)
def test_what_is_no_matrix_of_counts_is_refused_and_changes_nothing(confmat, error, text):
    metric = segiou.MeanIoU(C)
    metric.update_confmat(EYE)
    value = metric.compute()
    with pytest.raises(error, match=text):
        metric.update_confmat(confmat)
    assert metric.update_count == 1
    assert metric._computed is value
    assert torch.equal(metric.confmat[:C, :C], EYE)


def test_the_remedy_for_whole_floats_gives_the_score():
    matrix = EYE + 1
    metric = segiou.MeanIoU(C)
    for confmat in (matrix.double().long(), matrix.double().numpy().astype("int64"), pd.DataFrame(matrix).to_numpy()):
        metric.reset()
        metric.update_confmat(confmat)
        assert metric.compute() == functional.mean_iou_from_confmat(matrix, C)


def test_no_image_is_no_change():
    metric = segiou.ImagewiseIoU(C, keep_images=True)
    metric.update_confmat(torch.zeros(0, C, C, dtype=torch.int64), ids=[])
    assert metric.compute().isnan()


SKEWED = torch.tensor([[6, 2, 0, 1], [0, 4, 3, 0], [1, 0, 9, 0], [0, 5, 0, 2]])  # no score is that of its transpose
FUNCTIONS = {
    "fbeta": (segiou.FBeta, {"beta": 2.0}),
    "generalized_dice": (segiou.GeneralizedDice, {"weight_type": "linear"}),
    "segmentation_metrics": (segiou.SegmentationMetrics, {"per_class": True, "beta": 2.0, "prefix": "val/"}),
    **{
        name: (kind, {"exclude": 3, "absent": 0.5})
        for name, kind in (
            ("mean_iou", segiou.MeanIoU),
            ("dice", segiou.Dice),
            ("precision", segiou.Precision),
            ("recall", segiou.Recall),
            ("mean_accuracy", segiou.MeanAccuracy),
            ("frequency_weighted_iou", segiou.FrequencyWeightedIoU),
        )
    },
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_a_matrix_hand_on_their_arguments(name):
    kind, arguments = FUNCTIONS[name]
    metric, plain = kind(C, **arguments), kind(C)
    for each in (metric, plain):
        each.update_confmat(SKEWED)
    found = getattr(functional, f"{name}_from_confmat")(SKEWED, C, **arguments)
    assert str(found) == str(metric.compute()) != str(plain.compute())


def test_binary_functions_of_a_matrix_average_as_their_metrics_do():
    matrix = [[6, 2], [1, 4]]
    recall, accuracy = (
        getattr(functional, f"{name}_from_confmat")(matrix, task="binary") for name in ("recall", "mean_accuracy")
    )
    assert float(recall) == pytest.approx(4 / 5)
    assert float(accuracy) == pytest.approx((6 / 8 + 4 / 5) / 2)


@pytest.mark.parametrize("size", [C, C + 1])
def test_the_given_matrix_is_not_changed(size):
    given = torch.ones(size, size, dtype=torch.int64)
    metric = segiou.MeanIoU(C, ignore_index=1, validate_args=False)
    for _ in range(2):
        metric.update_confmat(given)
    assert torch.equal(given, torch.ones(size, size, dtype=torch.int64))


def test_pixels_are_exact_up_to_a_whole_of_2_to_the_53():
    metric = segiou.PixelAccuracy(2)
    metric.update_confmat([[2**53 - 1, 0], [1, 0]])
    assert int(metric.confmat.sum()) == 2**53


def test_the_value_that_stands_for_every_ignored_pixel_may_itself_be_ignored():
    """It is the id behind the last class, whose row the matrix has for the ignored pixels."""
    metric, matrix = segiou.MeanIoU(C, ignore_index=C, validate_args=False), torch.ones(C + 1, C + 1, dtype=torch.int64)
    metric.update_confmat(matrix)
    assert torch.equal(metric.confmat, matrix)


def test_rows_of_bands_are_groups_and_none_of_them_is_taken_for_an_ignored_class():
    preds, target = torch.zeros(1, 6, 6, dtype=torch.int64), torch.zeros(1, 6, 6, dtype=torch.int64)
    preds[:, 2:], target[:, 3:] = 2, 2
    arguments = {"ignore_index": 1, "groups": {"a": [0], "b": [2, 3]}, "pixels": 1}
    metric, given = (segiou.BoundaryIoU(C, **arguments) for _ in range(2))
    metric.update(preds, target)
    assert metric.confmat[1].any()  # the row of the group b
    given.update_confmat(metric.counted(preds, target, per_image=True).counts)
    assert torch.equal(given.confmat, metric.confmat)


def test_a_matrix_of_one_class_more_is_not_taken_for_ignored_pixels():
    preds, target = pixels()
    matrix = counted_by_hand(preds, target).sum(0)
    metric = segiou.MeanIoU(C - 1)
    with pytest.raises(
        ValueError,
        match=r"no pixel in its last row, which is of ignored pixels, where ignore_index is None, got \d+: build the metric with one class more",
    ):
        metric.update_confmat(matrix)
    assert not metric.confmat.any()
    assert functional.mean_iou_from_confmat(matrix, C) == functional.mean_iou(preds, target, C, ignore_index=IGNORED)
    with pytest.raises(
        ValueError, match=r"no pixel in its last column, which is of predictions outside the classes, got \d+"
    ):
        segiou.MeanIoU(C - 1, ignore_index=IGNORED).update_confmat(matrix)
    void = segiou.MeanIoU(C - 1, ignore_index=IGNORED, validate_args=False)
    void.update(preds, target.where(target != C - 1, IGNORED))
    again = void.clone()
    again.reset()
    again.update_confmat(void.confmat)
    assert again.compute() == void.compute() < 1


def test_lists_of_arrays_and_tensors_are_checked_each():
    metric = segiou.MeanIoU(C)
    metric.update_confmat([EYE, EYE.numpy(), (EYE * 2).to(torch.int32)])
    assert torch.equal(metric.confmat[:C, :C], EYE * 4)
    with pytest.raises(TypeError, match="must not be a masked array"):
        metric.update_confmat([np.ma.array(EYE.numpy(), mask=EYE.numpy() == 1)])
    with pytest.raises(ValueError, match="must list matrices of one shape"):
        metric.update_confmat([EYE, EYE[:2]])


def test_two_models_need_the_same_images():
    metric = segiou.PairedComparison(segiou.MeanIoU(C))
    with pytest.raises(ValueError, match="on the same images, got 3 and 2 of them"):
        metric.update_confmat(EYE.expand(3, C, C), EYE.expand(2, C, C))


def test_instances_are_in_no_matrix():
    with pytest.raises(TypeError, match="holds no instances"):
        segiou.InstanceIoU("cityscapes", first_id=1000).update_confmat(EYE)
