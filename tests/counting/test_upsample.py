"""Score maps of another size than the target count as F.interpolate followed by argmax, in float32."""

import os
import re

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from segiou import BoundaryIoU, Dice, MeanIoU
from segiou.counting import Rules, count
from segiou.functional import mean_iou
from tests.helpers import oracle
from tests.helpers.strategies import FLOATS

MODES = [("bilinear", False), ("bilinear", True), ("nearest", False)]
modes = pytest.mark.parametrize(("mode", "align"), MODES)
sides = st.integers(1, 40)


@pytest.fixture(scope="module", params=["eager", "fused"], autouse=True)
def _kernel(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGIOU_KERNEL", request.param)
        yield request.param


def interpolated(preds: torch.Tensor, size: tuple[int, ...], mode: str, align: bool) -> torch.Tensor:
    return F.interpolate(preds.float(), size=size, mode=mode, align_corners=align if mode == "bilinear" else None)


@modes
@pytest.mark.parametrize("per_image", [False, True])
@given(
    sizes=st.tuples(sides, sides, sides, sides),
    classes=st.integers(1, 9),
    dtype=st.sampled_from(FLOATS),
    levels=st.sampled_from([3, 1000]),
    channels_last=st.booleans(),
)
def test_counts_equal_interpolate_and_argmax(mode, align, per_image, sizes, classes, dtype, levels, channels_last):
    """Few levels give many ties; any pair of sizes, up or down."""
    h, w, height, width = sizes
    preds = (torch.randint(-levels, levels, (2, classes, h, w)) / 8).to(dtype)
    preds = preds.to(memory_format=torch.channels_last) if channels_last else preds
    target = torch.randint(0, classes + 1, (2, height, width))
    rules = Rules.of(classes, ignore_index=classes, upsample=mode, align_corners=align)
    counted = count(preds, target, rules, per_image=per_image)
    labels = interpolated(preds, (height, width), mode, align).argmax(1)
    expected = count(labels, target, Rules.of(classes, ignore_index=classes), per_image=per_image)
    assert torch.equal(counted.counts, expected.counts)


LAYOUTS = {
    "planar": lambda x: x,
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "cropped": lambda x: x[..., 1:, 2:-1],
    "cropped channels last": lambda x: x.contiguous(memory_format=torch.channels_last)[..., 1:, 2:-1],
    "transposed": lambda x: x.mT,
    "every second": lambda x: x[:, ::2, :, ::2],
    "expanded": lambda x: x[:1, ..., :1].expand(x.shape),
}
# source, target: four and more times as large, odd ratios, one side as it was, smaller, from and to a single pixel
SIZES = [
    ((33, 41), (132, 164)),
    ((20, 17), (75, 163)),
    ((6, 9), (6, 150)),
    ((6, 150), (61, 150)),
    ((3, 5), (130, 70)),
    ((120, 200), (101, 60)),
    ((1, 1), (70, 71)),
    ((9, 300), (1, 1200)),
]


def special(preds: torch.Tensor) -> torch.Tensor:
    """The same scores with NaN, infinities and signed zeros."""
    for value, share in ((float("nan"), 0.002), (float("inf"), 0.01), (-float("inf"), 0.1), (-0.0, 0.1)):
        preds = preds.masked_fill(torch.rand(preds.shape) < share, value)
    return preds


def assert_held_to_torch(preds, target, classes, mode, align) -> None:
    """The counts, and the pixels with NaN, are those of the argmax of torch's interpolation."""
    resized = interpolated(preds, target.shape[1:], mode, align)
    plain, rules = (
        Rules.of(classes, ignore_index=classes, **extra) for extra in ({}, {"upsample": mode, "align_corners": align})
    )
    for per_image in (False, True):
        counted = count(preds, target, rules, per_image=per_image)
        expected = count(resized.argmax(1), target, plain, per_image=per_image)
        assert torch.equal(counted.counts, expected.counts)
        assert counted.errors.tolist() == [0, 0, int(resized.isnan().any(1).sum()), 0]


@pytest.mark.usefixtures("_threads")
@modes
@pytest.mark.parametrize(("source", "size"), SIZES, ids=str)
def test_large_targets(mode, align, source, size):
    for dtype, levels, classes in zip(FLOATS, (2, 100, 2, 2), (19, 3, 6, 70), strict=True):
        preds = (torch.randint(-levels, levels, (2, classes, *source)) / 8).to(dtype)
        target = torch.randint(0, classes + 1, (2, *size))
        assert_held_to_torch(preds, target, classes, mode, align)
        assert_held_to_torch(special(preds), target, classes, mode, align)


@pytest.mark.usefixtures("_threads")
@modes
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(mode, align, dtype, layout):
    preds = LAYOUTS[layout](torch.randn(2, 10, 17, 24).to(dtype))
    for integers in (torch.uint8, torch.int64):
        target = torch.randint(0, preds.shape[1] + 1, (4, 2 * 95, 3 * 90), dtype=integers)[::2, ::2, 1::3]
        assert_held_to_torch(preds, target, preds.shape[1], mode, align)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("classes", [1, 2, 150, 1000])
def test_more_classes_than_fit_beside_each_other(classes):
    preds, target = torch.randn(3, classes, 9, 50), torch.randint(0, classes, (3, 37, 200))
    assert_held_to_torch(preds, target, classes, "bilinear", False)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("align", [False, True])
@given(
    sizes=st.tuples(sides, sides, st.integers(1, 90), st.integers(1, 90)),
    classes=st.sampled_from([1, 3, 4, 5, 7, 8, 12, 16, 19, 22, 33, 150]),
    dtype=st.sampled_from(FLOATS),
    kind=st.sampled_from(
        ["few levels", "near ties", "one class clearly", "all magnitudes", "not finite", "a class masked"]
    ),
)
def test_channels_last_counts_as_the_naive_loop(align, sizes, classes, dtype, kind):
    """A class is compared only where it can win, with torch's rounding: it must be so for any scores."""
    h, w, height, width = sizes
    shape = (1, classes, h, w)
    scores = {
        "few levels": lambda: torch.randint(-2, 3, shape) / 8,
        "near ties": lambda: torch.randn(1, 1, h, w) + torch.randint(0, 2, shape) * 2.0**-22,
        "one class clearly": lambda: 8 * torch.randn(shape) ** 3,
        "all magnitudes": lambda: torch.randn(shape) * 10.0 ** torch.randint(-44, 38, (1, 1, h, w)),
        "not finite": lambda: special(torch.randn(shape)),
        "a class masked": lambda: torch.randn(shape).index_fill(1, torch.tensor([classes // 2]), -float("inf")),
    }[kind]()
    preds = scores.to(dtype).contiguous(memory_format=torch.channels_last)
    target = torch.randint(0, classes, (1, height, width))
    rules = Rules.of(classes, upsample="bilinear", align_corners=align)
    counted = count(preds, target, rules)
    resized = interpolated(preds, (height, width), "bilinear", align) if sizes[:2] != sizes[2:] else preds
    expected = oracle.matrix(resized.argmax(1).flatten().tolist(), target.flatten().tolist(), classes)
    assert counted.counts.tolist() == expected
    assert counted.errors.tolist() == [0, 0, int(resized.isnan().any(1).sum()), 0]


@pytest.mark.parametrize("scale", [1 / 3, 0.5, 1.5, 2, 3, 4, 5, 8, 16, 40])
def test_channels_last_at_every_scale(scale):
    """The cells between four source pixels have another shape at each."""
    for classes in (5, 19, 150):
        preds = torch.randint(-9, 9, (2, classes, 9, 11)) / 8 + torch.randn(2, classes, 9, 11) * 2.0**-20
        preds = preds.contiguous(memory_format=torch.channels_last)
        target = torch.randint(0, classes, (2, int(9 * scale), int(11 * scale)))
        for align in (False, True):
            assert_held_to_torch(preds, target, classes, "bilinear", align)


@pytest.mark.parametrize("size", [(150, 120), (64, 64)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_where_torchs_arithmetic_is_known_nothing_is_interpolated(monkeypatch, layout, size):
    if os.environ["SEGIOU_KERNEL"] == "eager":
        pytest.skip("for the compiled kernels")
    from segiou.counting import native

    preds = torch.randn(2, 19, 15, 12).contiguous(memory_format=layout)
    target = torch.randint(0, 19, (2, *size))
    expected = count(interpolated(preds, size, "bilinear", False).argmax(1), target, Rules.of(19)).counts
    rules = Rules.of(19, upsample="bilinear")
    if native.arithmetic(preds, *size) is not None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(native, "image_by_image", None)
            assert torch.equal(count(preds, target, rules).counts, expected)
    monkeypatch.setattr(native, "arithmetic", lambda *_: None)
    assert torch.equal(count(preds, target, rules).counts, expected)
    monkeypatch.setattr(native, "image_by_image", None)
    with pytest.raises(TypeError):
        count(preds, target, rules)


def test_ties_fall_as_in_torch_whatever_its_arithmetic():
    """Nearly equal classes: any other rounding than torch's gives another winner somewhere."""
    first = torch.randn(1, 1, 40, 50)
    preds = torch.cat([first, first.roll(1, -1), first.roll(1, -2), first.nextafter(first + 1)], 1)
    for layout in (torch.contiguous_format, torch.channels_last):
        target = torch.zeros(1, 160, 200, dtype=torch.int64)
        assert_held_to_torch(preds.contiguous(memory_format=layout), target, 4, "bilinear", False)


@modes
def test_nan_and_infinities_go_as_in_interpolate(mode, align):
    preds = torch.randn(2, 4, 6, 5)
    preds[0, 1, 2, 3], preds[1, 3, 0, 0], preds[1, 2, 5, 4] = float("nan"), float("inf"), -float("inf")
    target = torch.randint(0, 4, (2, 17, 23))
    counted = count(preds, target, Rules.of(4, upsample=mode, align_corners=align))
    resized = interpolated(preds, (17, 23), mode, align)
    assert counted.counts.tolist() == oracle.matrix(resized.argmax(1).flatten().tolist(), target.flatten().tolist(), 4)
    assert counted.errors.tolist() == [0, 0, int(resized.isnan().any(1).sum()), 0]


@modes
def test_binary_and_multilabel_scores_are_resized_too(mode, align):
    arguments = {"upsample": mode, "align_corners": align}
    probabilities, target = torch.rand(3, 2, 5, 6), torch.randint(0, 2, (3, 2, 11, 9))
    resized = interpolated(probabilities, (11, 9), mode, align)
    metric, plain = (MeanIoU(task="multilabel", num_labels=2, **extra) for extra in (arguments, {}))
    metric.update(probabilities, target)
    plain.update(resized, target)
    assert torch.equal(metric.confmat, plain.confmat)
    metric, plain = Dice(task="binary", from_logits=True, **arguments), Dice(task="binary", from_logits=True)
    logits = torch.randn(3, 1, 5, 6)
    metric.update(logits, target[:, 0])
    plain.update(interpolated(logits, (11, 9), mode, align), target[:, 0])
    assert torch.equal(metric.confmat, plain.confmat)


def test_scores_of_the_targets_size_and_labels_are_taken_as_they_are():
    preds, target = torch.randn(2, 3, 4, 5), torch.randint(0, 3, (2, 4, 5))
    assert mean_iou(preds, target, 3, upsample="bilinear") == mean_iou(preds, target, 3)
    assert mean_iou(preds.argmax(1), target, 3, upsample="bilinear") == mean_iou(preds, target, 3)
    preds, target = torch.randn(2, 3, 4), torch.randint(0, 3, (2, 4))
    assert mean_iou(preds, target, 3, upsample="bilinear") == mean_iou(preds, target, 3)


def test_a_list_of_differently_sized_images():
    sizes = [(8, 6), (5, 9), (16, 16)]
    preds, targets = [torch.randn(3, 4, 4) for _ in sizes], [torch.randint(0, 3, size) for size in sizes]
    metric = MeanIoU(3, upsample="bilinear")
    metric.update(preds, targets)
    expected = MeanIoU(3)
    for image, target in zip(preds, targets, strict=True):
        expected.update(interpolated(image[None], target.shape, "bilinear", False), target[None])
    assert torch.equal(metric.confmat, expected.confmat)


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 3, 4, 4)])
def test_empty_batches(shape):
    metric = MeanIoU(3, upsample="bilinear")
    metric.update(torch.zeros(shape), torch.zeros(shape[0], 0, 7, dtype=torch.int64))
    assert int(metric.confmat.sum()) == 0
    rules = Rules.of(3, upsample="bilinear")
    each = count(torch.zeros(shape), torch.zeros(shape[0], 0, 7, dtype=torch.int64), rules, per_image=True)
    assert each.counts.tolist() == torch.zeros(shape[0], 4, 4).tolist()


@pytest.mark.parametrize(
    ("preds", "target"),
    [
        (torch.zeros(2, 3, 4), torch.zeros(2, 8, dtype=torch.int64)),
        (torch.zeros(2, 3, 4, 4, 4), torch.zeros(2, 8, 8, 8, dtype=torch.int64)),
        (torch.zeros(2, 3, 0, 4), torch.zeros(2, 8, 8, dtype=torch.int64)),
        (torch.zeros(2, 3, 4, 4, dtype=torch.int64), torch.zeros(2, 8, 8, dtype=torch.int64)),
    ],
)
def test_what_cannot_be_resized_is_an_error(preds, target):
    metric = MeanIoU(3, upsample="bilinear")
    with pytest.raises(ValueError, match=re.escape('pass upsample="bilinear" if floating score maps (N, C, h, w)')):
        metric.update(preds, target)
    assert metric.update_count == 0


def test_align_corners_is_for_bilinear():
    with pytest.raises(ValueError, match="^align_corners is for upsample=\"bilinear\", got upsample='nearest'$"):
        MeanIoU(3, upsample="nearest", align_corners=True)


def test_a_channel_axis_of_binary_maps_is_dropped_from_both():
    scores, target = torch.rand(2, 1, 4, 4), torch.randint(0, 2, (2, 1, 8, 8))
    metric = MeanIoU(task="binary", upsample="bilinear")
    assert metric(scores, target) == metric(scores[:, 0], target[:, 0])
    near = BoundaryIoU(task="binary", pixels=1)
    assert near(target, target.flip(-1)) == near(target[:, 0], target[:, 0].flip(-1))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
@pytest.mark.parametrize("small", [(1, 1), (3, 4), (5, 1)])
def test_a_target_of_one_row_or_column(align_corners, size, small):
    scores, target = torch.randn(2, 5, *small), torch.randint(0, 5, (2, *size))
    resized = interpolate(scores, size, mode="bilinear", align_corners=align_corners)
    expected = MeanIoU(5)
    expected.update(resized, target)
    metric = MeanIoU(5, upsample="bilinear", align_corners=align_corners)
    metric.update(scores, target)
    assert torch.equal(metric.confmat, expected.confmat)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("classes_last", [False, True])
@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_ties_at_the_margins_of_cells(align_corners, classes_last, factor):
    """Equal scores on both sides of a source pixel, and classes that change places there."""
    scores = torch.randint(0, 3, (2, 6, 7, 9)).float()
    scores[:, 3:] = scores[:, :3]
    scores = scores.to(memory_format=torch.channels_last) if classes_last else scores
    size = (7 * factor, 9 * factor + 1)
    target = torch.randint(0, 6, (2, *size))
    expected, metric = MeanIoU(6), MeanIoU(6, upsample="bilinear", align_corners=align_corners)
    expected.update(interpolate(scores, size, mode="bilinear", align_corners=align_corners), target)
    metric.update(scores, target)
    assert torch.equal(metric.confmat, expected.confmat)
