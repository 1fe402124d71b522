"""Interior pixels: both ways to find them, held to a loop that looks at every pixel of every window."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from segiou.counting import boundary_bands, kernels
from segiou.counting import threads as team
from segiou.counting.boundary_bands import Marking, interior
from segiou.counting.native import boundary_bands as compiled
from tests.helpers import oracle
from tests.helpers.label_maps import coarse
from tests.helpers.strategies import FLOATS, INTEGERS, labels, scores, strided

WAYS = {"torch": boundary_bands.mark, "C": compiled.mark}
every_way = pytest.mark.parametrize("mark", WAYS.values(), ids=WAYS)
maps = st.tuples(st.integers(0, 3), st.integers(0, 7), st.integers(0, 9))


def marked(labels: torch.Tensor, marking: Marking, distance: int) -> list[int]:
    """What ``mark`` should give for labels, pixel by pixel."""
    table = marking.table or tuple(range(marking.classes + 1))
    wide = [table[label] if 0 <= label < marking.classes else marking.labels for label in oracle.pixels(labels)]
    numbered = torch.tensor(wide, dtype=torch.int64).reshape(labels.shape)
    inside = oracle.pixels(oracle.interior(numbered, distance, marking.border))
    outside = marking.labels
    return [outside + 1 if label == outside else outside if i else label for label, i in zip(wide, inside, strict=True)]


@pytest.mark.parametrize("border", [True, False])
@pytest.mark.parametrize("size", [(6, 9), (1, 7), (5, 1), (8, 8)])
def test_every_distance_up_to_the_longest_side_and_beyond(size, border):
    maps = torch.cat([coarse(3, 3, *size), torch.zeros(1, *size, dtype=torch.int64)])
    for distance in range(1, max(size) + 3):
        expected = oracle.interior(maps, distance, border)
        assert torch.equal(interior(maps, distance, border), expected), distance
        assert expected[-1].any() == (not border or 2 * distance < min(size))
        for mark in WAYS.values():
            found = mark("labels", maps, 0.0, Marking(3, (), 3, border), distance)
            assert found.tolist() == torch.where(expected, 3, maps).tolist(), distance


@pytest.mark.parametrize("border", [True, False])
@pytest.mark.parametrize("shape", [(2,), (2, 0), (0, 4), (2, 13), (2, 3, 4, 5), (1, 2, 3, 2, 3)])
def test_any_number_of_axes(shape, border):
    labels = (torch.rand(shape) < 0.05).long()
    for distance in (1, 2, 3):
        assert torch.equal(interior(labels, distance, border), oracle.interior(labels, distance, border))
        for mark in WAYS.values():
            found = mark("labels", labels, 0.0, Marking(2, (), 2, border), distance)
            assert found.tolist() == torch.where(oracle.interior(labels, distance, border), 2, labels).tolist()


@given(st.data(), maps, st.integers(1, 4), st.booleans())
def test_labels_of_any_type_and_layout(data, shape, distance, border):
    x = data.draw(labels(shape, 3, wild=True))
    table = data.draw(st.sampled_from([(), (0, 2, 1), (0, 0, 1), (3, 1, 2)]))
    marking = Marking(3, (*table, 3) if table else (), 3, border)
    for mark in WAYS.values():
        assert oracle.pixels(mark("labels", x, 0.0, marking, distance).long()) == marked(x, marking, distance)


@given(st.data(), maps, st.integers(1, 3))
def test_scores_are_read_as_their_argmax(data, shape, distance):
    images, height, width = shape
    x = data.draw(scores((images, 3, height, width)))
    marking = Marking(3, (), 3, True)
    expected = marked(torch.tensor(oracle.argmax(x), dtype=torch.int64).reshape(shape), marking, distance)
    for mark in WAYS.values():
        assert oracle.pixels(mark("scores", x, 0.0, marking, distance).long()) == expected


@given(st.data(), maps, st.integers(1, 3), st.sampled_from([0.25, -0.5, 1.0]))
def test_binary_scores_are_read_by_their_bound(data, shape, distance, bound):
    x = data.draw(scores(shape))
    marking = Marking(2, (), 2, False)
    expected = marked((x > bound).long(), marking, distance)
    for mark in WAYS.values():
        assert oracle.pixels(mark("binary", x, bound, marking, distance).long()) == expected


@every_way
@pytest.mark.parametrize("dtype", FLOATS)
def test_wide_rows_of_scores_in_every_layout(mark, dtype):
    x = torch.randn(2, 5, 7, 301).to(dtype)
    marking = Marking(5, (), 5, False)
    expected = torch.where(oracle.interior(x.double().argmax(1), 1, False), 5, x.double().argmax(1))
    for layout in (x, x.contiguous(memory_format=torch.channels_last), x.transpose(2, 3).contiguous().transpose(2, 3)):
        assert mark("scores", layout, 0.0, marking, 1).tolist() == expected.tolist()


@pytest.mark.parametrize("images", [1, 3])
def test_any_number_of_threads_gives_the_same(monkeypatch, images):
    monkeypatch.setattr(team, "ALONE", 0)
    before = torch.get_num_threads()
    x = coarse(4, images, 61, 53, patch=16)
    expected = {distance: marked(x, Marking(4, (), 4, True), distance) for distance in (1, 5)}
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            for distance in (1, 5):
                found = compiled.mark("labels", x, 0.0, Marking(4, (), 4, True), distance)
                assert oracle.pixels(found.long()) == expected[distance], (threads, distance)
    finally:
        torch.set_num_threads(before)


def by_scipy(mask: np.ndarray, distance: int) -> np.ndarray:
    return ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=distance, border_value=0)


def by_opencv(mask: np.ndarray, distance: int) -> np.ndarray:
    """As in the reference code of boundary IoU."""
    cv2 = pytest.importorskip("cv2")
    wide = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return cv2.erode(wide, np.ones((3, 3), np.uint8), iterations=distance)[1:-1, 1:-1]


@every_way
@pytest.mark.parametrize("eroded", [by_scipy, by_opencv])
@pytest.mark.parametrize("distance", [1, 4, 9, 30])
def test_it_is_the_erosion_of_each_mask(mark, eroded, distance):
    x = coarse(4, 1, 97, 143, patch=24)
    found = mark("labels", x, 0.0, Marking(4, (), 4, True), distance)[0].long() == 4
    for c in range(4):
        mask = x[0] == c
        assert torch.equal(found & mask, torch.from_numpy(eroded(mask.numpy(), distance)).bool())


def test_it_is_not_the_erosion_of_the_label_map():
    """That takes the least label of a window, which tells a background pixel nothing about the object beside it."""
    x = torch.zeros(1, 9, 9, dtype=torch.int64)
    x[:, 3:6, 3:6] = 1
    least = torch.from_numpy(ndimage.minimum_filter(x[0].numpy(), size=3))
    wrong = least == x[0]
    right = interior(x, 1, border=False)[0]
    assert wrong[2, 3]
    assert not right[2, 3]
    assert torch.equal(right, oracle.interior(x, 1, False)[0])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.bool])
def test_values_are_compared_as_they_are(dtype):
    high = 1 if dtype == torch.bool else -1 if dtype == torch.uint64 else torch.iinfo(dtype).max
    wide = torch.tensor([[high, high, high, 0, 0, 0]])
    x = wide.view(torch.uint64) if dtype == torch.uint64 else wide.to(dtype)
    assert interior(x, 1).tolist() == [[False, True, False, False, True, False]]


def test_more_classes_than_the_compiled_kernels_count():
    x = torch.tensor([[[66_000] * 3] * 3 + [[65_999] * 3]])
    expected = [[[66_000] * 3, [66_000, 70_000, 66_000], [66_000] * 3, [65_999] * 3]]
    for mark in WAYS.values():
        assert mark("labels", x, 0.0, Marking(70_000, (), 70_000, True), 1).tolist() == expected


@pytest.mark.parametrize(("kernel", "dtype"), [("auto", torch.uint16), ("eager", torch.int32)])
def test_the_environment_chooses(monkeypatch, kernel, dtype):
    monkeypatch.setenv("SEGIOU_KERNEL", kernel)
    found = kernels.mark("labels", torch.zeros(1, 3, 3, dtype=torch.int64), 0.0, Marking(2, (), 2, True), 1)
    assert found.dtype == dtype
    assert found.tolist() == [[[0, 0, 0], [0, 2, 0], [0, 0, 0]]]


def test_a_kernel_that_fails_is_warned_of_and_torch_operations_take_its_place(monkeypatch):
    def broken(*args):
        raise RuntimeError("no compiler here")

    monkeypatch.delenv("SEGIOU_KERNEL", raising=False)
    monkeypatch.setattr(kernels, "_failed", set())
    monkeypatch.setattr(compiled, "mark", broken)
    arguments = "labels", torch.zeros(1, 3, 3, dtype=torch.int64), 0.0, Marking(2, (), 2, True), 1
    with pytest.warns(UserWarning, match=r"torch operations count instead, slower \(RuntimeError: no compiler here\)"):
        assert kernels.mark(*arguments).dtype == torch.int32


@given(st.data(), st.sampled_from(INTEGERS))
def test_interior_does_not_depend_on_type_or_layout(data, dtype):
    x = coarse(3, 2, 6, 7)
    typed = x.view(torch.uint64) if dtype == torch.uint64 else x.to(dtype)
    assert torch.equal(interior(strided(data.draw, typed), 2), oracle.interior(x, 2, True))


@every_way
def test_a_distance_beyond_any_image_costs_nothing(mark):
    x = torch.zeros(1, 3, 4, dtype=torch.int64)
    assert (mark("labels", x, 0.0, Marking(2, (), 2, False), 2**40) == 2).all()
