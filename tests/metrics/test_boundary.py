"""Boundary IoU and trimap IoU, held to masks, erosions and sums of single pixels."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics import MetricCollection

from segiou import BoundaryIoU, Imagewise, MeanIoU, TrimapIoU
from segiou.functional import boundary_iou, trimap_iou
from segiou.metrics.boundary import Band
from tests.helpers import oracle
from tests.helpers.label_maps import coarse

METRICS = [BoundaryIoU, TrimapIoU]
every_metric = pytest.mark.parametrize("metric", METRICS)
every_kernel = pytest.mark.parametrize("kernel", ["auto", "eager"])


def band(labels: torch.Tensor, c: int, distance: int, border: bool = True) -> torch.Tensor:
    """The pixels of the mask of a class that erosion takes away."""
    mask = labels == c
    return mask & ~oracle.interior(mask.long(), distance, border)


def boundary_areas(preds, target, classes, distance, ignore=(), border=True) -> list[tuple[int, int, int]]:
    """TP, predicted and target pixels of the bands of each class."""
    valid = torch.ones_like(target, dtype=torch.bool)
    for value in ignore:
        valid &= target != value
    found = []
    for c in range(classes):
        g = band(target.masked_fill(~valid, -9), c, distance, border)
        p = band(preds, c, distance, border) & valid
        found.append((int((g & p).sum()), int(p.sum()), int(g.sum())))
    return found


def scores_of(areas: list[tuple[int, int, int]]) -> list[float]:
    values = [oracle.iou(*area) for area in areas]
    return [math.nan if value is None else float(value) for value in values]


def close(found: torch.Tensor, expected: list[float]) -> bool:
    return torch.allclose(found, torch.tensor(expected), equal_nan=True)


@every_kernel
@pytest.mark.parametrize("border", [True, False])
@pytest.mark.parametrize("distance", [1, 2, 4, 13])
def test_boundary_iou_is_that_of_eroded_masks(monkeypatch, kernel, distance, border):
    monkeypatch.setenv("SEGIOU_KERNEL", kernel)
    target, preds = coarse(3, 2, 11, 13, patch=6), coarse(3, 2, 11, 13, patch=5)
    metric = BoundaryIoU(4, pixels=distance, border=border, average="none")
    areas = boundary_areas(preds, target, 4, distance, border=border)
    assert close(metric(preds, target), scores_of(areas))
    assert int(metric.confmat.sum()) == target.numel()
    both_interior = oracle.interior(preds, distance, border) & oracle.interior(target, distance, border)
    assert int(metric.confmat[4, 4]) == int(both_interior.sum())


@every_kernel
@pytest.mark.parametrize("border", [True, False])
@pytest.mark.parametrize("distance", [1, 2, 4, 13])
def test_trimap_iou_is_that_of_the_pixels_near_a_change(monkeypatch, kernel, distance, border):
    monkeypatch.setenv("SEGIOU_KERNEL", kernel)
    target, preds = coarse(3, 2, 11, 13, patch=6), coarse(3, 2, 11, 13, patch=5)
    far = oracle.interior(target, distance, border)
    expected = MeanIoU(4, average="none", ignore_index=9)(preds, target.masked_fill(far, 9))
    metric = TrimapIoU(4, pixels=distance, border=border, average="none")
    assert close(metric(preds, target), expected.tolist())
    assert int(metric.confmat[4].sum()) == int(far.sum())


@every_kernel
@given(st.data())
def test_random_maps_with_ignored_pixels(kernel, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGIOU_KERNEL", kernel)
        height, width = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 8)))
        values = st.lists(
            st.sampled_from([0, 0, 0, 0, 1, 2, 255, -1]), min_size=height * width, max_size=height * width
        )
        target = torch.tensor(data.draw(values)).view(1, height, width)
        preds = torch.tensor(data.draw(values)).view(1, height, width).clamp(0, 2)
        distance, border = data.draw(st.integers(1, 4)), data.draw(st.booleans())
        ignore = data.draw(st.sampled_from([[255, -1], [255, -1, 1], [-1, 2, 255]]))
        options = {"pixels": distance, "border": border, "ignore_index": ignore, "average": "none"}
        found = BoundaryIoU(3, **options)(preds, target)
        assert close(found, scores_of(boundary_areas(preds, target, 3, distance, ignore, border)))
        one = target.clone()
        for value in ignore:
            one[target == value] = -5
        far = oracle.interior(one, distance, border) | (one == -5)
        expected = MeanIoU(3, average="none", ignore_index=-5)(preds, one.masked_fill(far, -5))
        assert close(TrimapIoU(3, **options)(preds, target), expected.tolist())


def test_several_ignored_values_are_one_label_and_a_class_ends_there():
    target = torch.tensor([[0, 0, 0, 0, 7, 8, 7, 8, 7]])
    preds = torch.zeros_like(target)
    metric = BoundaryIoU(2, pixels=1, ignore_index=[7, 8], border=False, average="none")
    metric.update(preds, target)
    # the target's class 0 ends at the fourth pixel, the prediction's nowhere; five ignored ones are interior too
    assert metric.confmat.tolist() == [[0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 3, 0], [0, 0, 5, 0]]
    trimap = TrimapIoU(2, pixels=1, ignore_index=[7, 8])
    trimap.update(preds, target)
    assert trimap.confmat.tolist() == [[1, 0, 0], [0, 0, 0], [8, 0, 0]]


def test_pixels_of_one_band_are_held_to_what_is_interior_on_the_other_side():
    """A prediction without contours shares no pixel of a band, and the target's band counts in the union all the same."""
    target = torch.zeros(1, 5, 5, dtype=torch.int64)
    target[:, 2, 2] = 1
    values = BoundaryIoU(2, pixels=1, border=False, average="none")(torch.zeros_like(target), target)
    assert values.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("size", "pixels"), [((512, 512), 14), ((1024, 2048), 46), ((5, 5), 1), ((3, 4, 12), 1)])
def test_the_distance_is_a_rounded_share_of_the_diagonal(size, pixels):
    assert Band.of(0.02, None, True).distance(*size) == pixels
    assert Band.of(0.02, 3, True).distance(*size) == 3


@every_metric
def test_images_of_several_sizes_have_distances_of_their_own(metric):
    maps = [(coarse(3, 20, 30), coarse(3, 20, 30)), (coarse(3, 90, 120, patch=30), coarse(3, 90, 120, patch=31))]
    listed = metric(3, ratio=0.03)
    listed.update([preds for preds, _ in maps], [target for _, target in maps])
    alone = metric(3, ratio=0.03)
    for preds, target in maps:
        alone.update(preds[None], target[None])
    fixed = metric(3, pixels=1)
    fixed.update([preds for preds, _ in maps], [target for _, target in maps])
    assert torch.equal(listed.confmat, alone.confmat)
    assert not torch.equal(listed.confmat, fixed.confmat)


@every_metric
@every_kernel
def test_counts_of_each_image(monkeypatch, metric, kernel):
    monkeypatch.setenv("SEGIOU_KERNEL", kernel)
    preds, target = torch.randn(3, 4, 9, 8), coarse(4, 3, 9, 8)
    whole = metric(4, pixels=2, ignore_index=3)
    for maps in ((preds, target), (list(preds), list(target))):
        counts, errors = whole.counted(*maps, per_image=True)
        assert counts.shape == (3, *whole.confmat.shape)
        assert errors.tolist() == [0, 0, 0, 0]
        for image in range(3):
            assert torch.equal(counts[image], whole.counted(preds[image : image + 1], target[image : image + 1]).counts)
    labels = metric(task="multilabel", num_labels=4, pixels=2)
    each = labels.counted(preds.sigmoid(), (preds > 1).long(), per_image=True).counts
    assert each.shape == (3, *labels.confmat.shape)
    assert torch.equal(each.sum(0), labels.counted(preds.sigmoid(), (preds > 1).long()).counts)


@every_metric
@every_kernel
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_scores_are_upsampled_and_their_argmax_is_taken(monkeypatch, metric, kernel, mode):
    monkeypatch.setenv("SEGIOU_KERNEL", kernel)
    preds, target = torch.randn(2, 3, 5, 7), coarse(3, 2, 20, 28)
    align = None if mode == "nearest" else False
    full = torch.nn.functional.interpolate(preds, size=(20, 28), mode=mode, align_corners=align)
    expected = metric(3, pixels=2)(full.argmax(1), target)
    assert torch.equal(metric(3, pixels=2)(full, target), expected)
    assert torch.equal(metric(3, pixels=2, upsample=mode)(preds, target), expected)
    assert metric(3, pixels=2, upsample=mode).counted(preds[:0], target[:0], True).counts.shape[0] == 0


@every_metric
@every_kernel
def test_binary_and_multilabel_maps_have_bands_of_their_own(monkeypatch, metric, kernel):
    monkeypatch.setenv("SEGIOU_KERNEL", kernel)
    preds, target = torch.randn(2, 3, 12, 9), torch.stack([coarse(2, 2, 12, 9) for _ in range(3)], 1)
    options = {"from_logits": True, "threshold": 0.6, "pixels": 1}
    labels = metric(task="multilabel", num_labels=3, average="none", **options)(preds, target)
    bound = math.log(0.6 / 0.4)
    for label in range(3):
        alone = metric(task="binary", **options)(preds[:, label], target[:, label])
        as_classes = metric(2, pixels=1, average="none")((preds[:, label] > bound).long(), target[:, label])
        assert labels[label] == alone == as_classes[1]
    small = torch.nn.functional.interpolate(preds, size=(24, 18), mode="bilinear")
    wide = target.repeat_interleave(2, 2).repeat_interleave(2, 3)
    options |= {"task": "multilabel", "num_labels": 3}
    assert metric(**options, upsample="bilinear")(preds, wide) == metric(**options)(small, wide)


@pytest.mark.parametrize(
    "groups", [{"a": [0, 2], "b": [1], "c": [3]}, {"a": [0, 2], "b": [3]}, {"all": [0, 1, 2, 3]}, {"b": [3, 1]}]
)
def test_groups_are_merged_before_their_contours_are_sought(groups):
    preds, target = coarse(4, 2, 15, 16, patch=5), coarse(4, 2, 15, 16, patch=6)
    target[:, :2] = 255
    found = BoundaryIoU(4, pixels=2, groups=groups, average="none", ignore_index=255)(preds, target)
    expected = []
    for ids in groups.values():
        merged = [sum((maps == c).long() for c in ids) + 2 * (maps == 255) for maps in (preds, target)]
        expected.append(scores_of(boundary_areas(*merged, 2, 2, (2,)))[1])
    assert close(found, expected)


def test_arguments_of_averages_apply():
    preds, target = coarse(3, 2, 15, 16, patch=5), coarse(3, 2, 15, 16, patch=6)
    each = BoundaryIoU(4, average="none", absent=0.25, class_names=["a", "b", "c", "d"])(preds, target)
    assert each[3] == 0.25
    assert BoundaryIoU(4, exclude=["a", "d"], class_names=["a", "b", "c", "d"])(preds, target) == each[1:3].mean()
    areas = boundary_areas(preds, target, 3, 1)
    tp, p, g = (sum(area[part] for area in areas) for part in range(3))
    micro = BoundaryIoU(3, average="micro")(preds, target)
    assert float(micro) == pytest.approx(float(Fraction(tp, p + g - tp)))


@every_metric
@every_kernel
def test_bad_labels_raise_as_in_every_metric_and_leave_the_state(monkeypatch, metric, kernel):
    """Far from any boundary, next to one, and where the target is ignored."""
    monkeypatch.setenv("SEGIOU_KERNEL", kernel)
    good, bad = torch.zeros(1, 7, 7, dtype=torch.int64), torch.zeros(1, 7, 7, dtype=torch.int64)
    for place in (slice(None), slice(3, 4)):
        bad[:, place, place] = 5
        for maps in ((good, bad), (bad, good), (bad, torch.full_like(good, 255))):
            plain, own = MeanIoU(3, ignore_index=255), metric(3, ignore_index=255, pixels=1)
            with pytest.raises(ValueError, match="labels must be") as expected:
                plain.update(*maps)
            with pytest.raises(ValueError, match="labels must be") as found:
                own.update(*maps)
            assert str(found.value) == str(expected.value)
            assert not own.confmat.any()
            assert own.update_count == 0
        bad.zero_()
    with pytest.raises(ValueError, match="scores must be probabilities"):
        metric(task="binary").update(torch.full((1, 3, 3), 2.0), torch.zeros(1, 3, 3, dtype=torch.int64))


@every_kernel
def test_without_checks_bad_labels_are_ignored_or_void(monkeypatch, kernel):
    monkeypatch.setenv("SEGIOU_KERNEL", kernel)
    target = torch.tensor([[0, 0, 0, 0, 0, 0, 9, 9, -3]])
    preds = torch.tensor([[0, 0, 7, 8, 0, 0, 0, 9, 9]])
    metric = BoundaryIoU(1, pixels=1, border=False, validate_args=False)
    metric.update(preds, target)
    # rows: near a contour, interior, ignored; columns: near a contour, interior, void
    assert metric.confmat.tolist() == [[0, 1, 0], [2, 1, 2], [1, 0, 2]]
    trimap = TrimapIoU(1, pixels=1, validate_args=False)
    trimap.update(preds, target)
    assert trimap.confmat.tolist() == [[1, 0], [4, 4]]


@every_metric
def test_nan_scores_are_warned_of_once_each(metric):
    scores = torch.randn(1, 3, 4, 4)
    scores[0, 1, 2, 2] = torch.nan
    own = metric(3)
    own.update(scores, scores.argmax(1))
    assert own.errors.tolist() == [0, 0, 1, 0]
    with pytest.warns(UserWarning, match="1 pixel had nan"):
        own.compute()


@every_metric
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"ratio": 1.5}, ValueError, "^ratio must be a share of the diagonal between 0 and 1, got 1.5$"),
        ({"ratio": "far"}, ValueError, "^ratio must be a share of the diagonal between 0 and 1, got 'far'$"),
        ({"pixels": 0}, ValueError, "^pixels must be an integer of at least 1, or None for ratio, got 0$"),
        ({"pixels": 2.0}, ValueError, r"^pixels must be an integer of at least 1, or None for ratio, got 2\.0$"),
        ({"pixels": True}, ValueError, "^pixels must be an integer of at least 1, or None for ratio, got True$"),
        ({"pixels": [1, 2]}, ValueError, r"^pixels must be an integer of at least 1, or None for ratio, got \[1, 2\]$"),
        ({"border": 1}, TypeError, "^border must be True or False, got 1$"),
    ],
)
def test_arguments_are_checked(metric, options, error, message):
    with pytest.raises(error, match=message):
        metric(3, **options)


def test_groups_that_share_a_class_have_no_contours():
    message = "^BoundaryIoU makes one map of all groups, so none may share a class, got class 1 \\('b'\\) in 2 of them$"
    with pytest.raises(ValueError, match=message):
        BoundaryIoU(3, groups={"x": ["a", "b"], "y": ["b"]}, class_names=["a", "b", "c"])
    assert TrimapIoU(3, groups={"x": [0, 1], "y": [1]}).confmat.shape == (4, 4)


@every_metric
def test_maps_without_spatial_axes_are_an_error(metric):
    name = metric.__name__
    own = metric(3)
    message = rf"^{name} needs images with at least one spatial axis, got target of shape \(3,\)$"
    with pytest.raises(ValueError, match=message):
        own.update(torch.tensor([0, 1, 2]), torch.tensor([0, 1, 2]))
    with pytest.raises(ValueError, match=rf"^{name} needs .*, got target of shape \(2, 3\)$"):
        metric(task="multilabel", num_labels=3).update(*torch.zeros(2, 2, 3, dtype=torch.int64))
    assert not own.confmat.any()


def test_states_are_named_by_the_distance():
    options = [{}, {"ratio": 0.005}, {"ratio": 1e-05}, {"pixels": 2}, {"pixels": 12}, {"ignore_index": 2}]
    options += [{"border": False}, {"groups": {"x": [0, 1]}}, {"groups": {"x": [0], "y": [1]}}]
    names = [BoundaryIoU(4, **option)._state_name for option in options]
    names += [TrimapIoU(4, **option)._state_name for option in options if option not in options[-3:]]
    names += [TrimapIoU(4, border=True)._state_name, MeanIoU(4)._state_name]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)
    assert BoundaryIoU(4, ratio=0.5, average="micro", pixels=2)._state_name == BoundaryIoU(4, pixels=2)._state_name


def test_a_collection_shares_equal_distances_alone():
    collection = MetricCollection(
        {
            "a": BoundaryIoU(3, pixels=2),
            "b": BoundaryIoU(3, pixels=2, average="micro"),
            "c": BoundaryIoU(3, pixels=1),
            "d": TrimapIoU(3, pixels=2),
            "e": MeanIoU(3),
        }
    )
    collection.update(torch.zeros(1, 1, 1, dtype=torch.int64), torch.zeros(1, 1, 1, dtype=torch.int64))
    assert sorted(map(sorted, collection.compute_groups.values())) == [["a", "b"], ["c"], ["d"], ["e"]]


@every_metric
def test_the_arguments_are_shown(metric):
    assert repr(metric(3, pixels=2, border=False, average="micro")) == (
        f"{metric.__name__}(num_classes=3, average='micro', pixels=2, border=False)"
    )
    assert repr(metric(3, ratio=0.5, border=True)) == f"{metric.__name__}(num_classes=3, ratio=0.5, border=True)"


def test_the_functions_take_the_distance():
    preds, target = coarse(3, 2, 15, 16, patch=5), coarse(3, 2, 15, 16, patch=6)
    assert boundary_iou(preds, target, 3, pixels=2) == BoundaryIoU(3, pixels=2)(preds, target)
    assert trimap_iou(preds, target, 3, ratio=0.1) == TrimapIoU(3, ratio=0.1)(preds, target)


@every_metric
def test_each_image_can_be_scored_by_itself(metric):
    preds, target = coarse(3, 4, 15, 16, patch=5), coarse(3, 4, 15, 16, patch=6)
    alone = [float(metric(3, pixels=2)(preds[i : i + 1], target[i : i + 1])) for i in range(4)]
    value = Imagewise(metric(3, pixels=2))(preds, target)
    assert float(value) == pytest.approx(sum(alone) / 4, rel=1e-6)
    assert float(value) != pytest.approx(float(metric(3, pixels=2)(preds, target)), rel=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@every_metric
@pytest.mark.parametrize("options", [{}, {"groups": {"a": [0, 2], "b": [1]}}])
def test_a_gpu_counts_the_same_and_is_not_waited_for(metric, options):
    preds, target = torch.randn(2, 3, 40, 50), coarse(3, 2, 40, 50, patch=8)
    target[:, :4] = 255
    options = {"ignore_index": [255, 1], "pixels": 3, **options}
    on_cpu, on_gpu = metric(3, **options), metric(3, **options).cuda()
    on_cpu.update(preds, target)
    maps = preds.cuda(), target.cuda()
    on_gpu.update(*maps)  # what is compiled and kept
    on_gpu.reset()
    torch.cuda.set_sync_debug_mode("error")
    try:
        on_gpu.update(*maps)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(on_gpu.confmat.cpu(), on_cpu.confmat)
