"""Every kernel against the naive loop, and the one signature that they share."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segiou.counting import Rules, count, cpu, eager
from tests.helpers import oracle
from tests.helpers.strategies import labels, scores, shapes

KERNELS = [eager, cpu]
kernels = pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.__name__)
ignores = st.lists(st.sampled_from([-1, 0, 1, 255, 2**63 - 1, -(2**63)]), max_size=2, unique=True).map(tuple)


def by_item(fn, preds, target):
    return [fn(preds[i : i + 1], target[i : i + 1]) for i in range(target.shape[0])]


@kernels
@pytest.mark.parametrize("each", [False, True])
@given(data=st.data(), shape=shapes, classes=st.sampled_from([1, 2, 3, 7, 300]), ignore=ignores)
def test_labels_equal_the_loop(kernel, each, data, shape, classes, ignore):
    preds, target = data.draw(labels(shape, classes, wild=True)), data.draw(labels(shape, classes, wild=True))

    def naive(p, t):
        return oracle.matrix(oracle.pixels(p), oracle.pixels(t), classes, ignore)

    counted = kernel.labels(preds, target, classes, ignore, each)
    expected = by_item(naive, preds, target) if each else naive(preds, target)
    assert counted.counts.tolist() == expected
    assert counted.errors.tolist() == [
        *oracle.errors(oracle.pixels(preds), oracle.pixels(target), classes, ignore),
        0,
        0,
    ]


@kernels
@pytest.mark.parametrize("each", [False, True])
@given(data=st.data(), shape=shapes, classes=st.sampled_from([1, 2, 5]), ignore=ignores)
def test_scores_equal_the_loop(kernel, each, data, shape, classes, ignore):
    preds = data.draw(scores((shape[0], classes, *shape[1:])))
    target = data.draw(labels(shape, classes, wild=True))

    def naive(p, t):
        return oracle.matrix(oracle.argmax(p), oracle.pixels(t), classes, ignore)

    counted = kernel.scores(preds, target, classes, ignore, each)
    assert counted.counts.tolist() == (by_item(naive, preds, target) if each else naive(preds, target))
    nan = int(preds.isnan().any(1).sum()) if preds.numel() else 0
    assert counted.errors.tolist()[2] == nan


@kernels
@given(data=st.data(), shape=shapes, threshold=st.sampled_from([0.0, 0.3, 0.5, 1.0, float("inf")]), ignore=ignores)
def test_binary_scores_equal_the_loop(kernel, data, shape, threshold, ignore):
    preds, target = data.draw(scores(shape)), data.draw(labels(shape, 2))
    bound = float(torch.tensor(threshold, dtype=preds.dtype))
    values = oracle.pixels(preds.double())
    counted = kernel.binary(preds, target, threshold, True, ignore, False)
    assert counted.counts.tolist() == oracle.matrix([int(v > bound) for v in values], oracle.pixels(target), 2, ignore)
    assert counted.errors.tolist()[2:] == [sum(v != v for v in values), sum(v < 0 or v > 1 for v in values)]


@kernels
def test_many_classes_take_the_first_of_equal_scores(kernel):
    preds = torch.zeros(1, 300, 4)
    preds[0, [299, 255, 256, 17], [0, 1, 2, 3]] = 1.0
    preds[0, 299, 3] = 1.0
    counted = kernel.scores(preds, torch.zeros(1, 4, dtype=torch.int64), 300, (), False)
    assert counted.counts[0].nonzero().flatten().tolist() == [17, 255, 256, 299]


@kernels
def test_integer_scores_are_compared_as_integers(kernel):
    preds = torch.tensor([[[1, 2**53 + 1], [2, 2**53]]])
    counted = kernel.scores(preds, torch.tensor([[0, 0]]), 2, (), False)
    assert counted.counts[0].tolist() == [1, 1, 0]


@kernels
def test_memory_stays_bounded_by_the_chunk(kernel, monkeypatch):
    monkeypatch.setattr(eager, "CHUNK", 10)
    preds, target = torch.randint(0, 4, (9, 7)), torch.randint(0, 5, (9, 7))
    for each in (False, True):
        counted = kernel.labels(preds, target, 4, (4,), each)
        whole = counted.counts.sum(0) if each else counted.counts
        assert whole.tolist() == oracle.matrix(oracle.pixels(preds), oracle.pixels(target), 4, (4,))


@pytest.mark.parametrize("per_image", [False, True])
def test_multilabel_is_one_binary_matrix_for_each_label(per_image):
    rules = Rules.of(None, task="multilabel", num_labels=3, ignore_index=9)
    preds, target = torch.rand(4, 3, 5, 2), torch.randint(0, 2, (4, 3, 5, 2))
    target[1, 2] = 9
    counts = count(preds, target, rules, per_image=per_image).counts
    for label in range(3):
        for image in range(4):
            p, t = preds[image, label] > 0.5, target[image, label]
            expected = oracle.matrix(oracle.pixels(p.int()), oracle.pixels(t), 2, (9,))
            if per_image:
                assert counts[image, label].tolist() == expected
    assert counts.shape == ((4, 3, 3, 3) if per_image else (3, 3, 3))
    assert int(counts.sum()) == target.numel()


def test_per_image_counts_sum_to_the_whole_also_for_a_list():
    rules = Rules.of(5, ignore_index=255)
    images = [(torch.randn(5, h, w), torch.randint(0, 5, (h, w))) for h, w in [(3, 4), (8, 1), (2, 2)]]
    preds, target = [p for p, _ in images], [t for _, t in images]
    counts = count(preds, target, rules, per_image=True).counts
    assert counts.sum((1, 2)).tolist() == [12, 8, 4]
    assert torch.equal(counts.sum(0), count(preds, target, rules).counts)


def test_an_empty_list_has_no_pixels():
    rules = Rules.of(5)
    assert int(count([], [], rules).counts.sum()) == 0
    assert count([], [], rules, per_image=True).counts.shape == (0, 6, 6)


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_logits_are_positive_where_their_probability_is_above_the_threshold(threshold):
    logits = torch.tensor([-80.0, -3.0, -1e-9, -0.0, 0.0, 1e-9, 3.0, 30.0, 80.0, float("inf")], dtype=torch.float64)
    rules = Rules.of(None, task="binary", threshold=threshold, from_logits=True)
    counts = count(logits, torch.ones(10, dtype=torch.int64), rules).counts
    # 1 / (1 + exp(-x)) in float64 rounds to 1 for x = 80, where the probability is below 1
    above = [x > rules.bound(torch.float64) for x in logits.tolist()]
    assert counts[1].tolist() == [10 - sum(above), sum(above), 0]
    if threshold == 0.5:
        assert sum(above) == 5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.3, 0.5, 0.7, 0.999, 0.9999, 1.0])
def test_scores_of_16_bits_compare_as_in_float32(dtype, threshold):
    every = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(dtype)
    scores = every[(every >= 0) & (every <= 1)]
    rules = Rules.of(None, task="binary", threshold=threshold)
    counts = count(scores, torch.ones(len(scores), dtype=torch.int64), rules).counts
    assert int(counts[1, 1]) == int((scores.float() > torch.tensor(threshold)).sum())
    logit = Rules.of(None, task="binary", threshold=0.3, from_logits=True)
    finite = every[every.isfinite()]
    counts = count(finite, torch.ones(len(finite), dtype=torch.int64), logit).counts
    assert int(counts[1, 1]) == int((finite.float() > logit.bound(torch.float32)).sum())


def test_unsigned_scores_of_64_bits_are_compared_as_such():
    preds = torch.tensor([[[-(2**63)], [5], [1]], [[-1], [0], [1]]]).view(torch.uint64)  # 2^63 and 2^64 - 1
    assert count(preds, torch.zeros(2, 1, dtype=torch.int64), Rules.of(3)).counts[0].tolist() == [2, 0, 0, 0]


def test_scores_of_8_bits_are_compared_exactly():
    preds = torch.tensor([[[0.5], [1.5]], [[3.0], [-2.0]]]).to(torch.float8_e4m3fn)
    assert count(preds, torch.zeros(2, 1, dtype=torch.int64), Rules.of(2)).counts[0].tolist() == [1, 1, 0]


def test_the_default_device_does_not_matter():
    preds, target = torch.randn(2, 3, 4), torch.zeros(2, 4, dtype=torch.int64)
    rules = Rules.of(3, upsample="bilinear")
    expected = count(preds, target, rules)
    with torch.device("meta"):
        assert torch.equal(count(preds, target, rules).counts, expected.counts)
        assert int(count([], [], rules).counts.sum()) == 0


def test_views_of_negated_and_unaligned_memory():
    imaginary = torch.randn(4, 3, 5, dtype=torch.complex64).conj().imag
    target = torch.randint(0, 3, (4, 5))
    assert torch.equal(
        count(imaginary, target, Rules.of(3)).counts, count(imaginary.clone(), target, Rules.of(3)).counts
    )
    packed = np.zeros(5, dtype=[("other", np.uint8), ("label", np.int32)])
    packed["label"] = [0, 1, 2, 1, 0]
    assert count(packed["label"], target[0], Rules.of(3)).counts.sum() == 5


def test_labels_of_8_bits_below_0_are_outside_the_classes():
    preds = torch.tensor([[-1, -128, 127, 0, 1]], dtype=torch.int8)
    target = torch.tensor([[0, -128, -1, 0, 1]], dtype=torch.int8)
    rules = Rules.of(3, ignore_index=[-1, -128], validate_args=False)
    assert count(preds, target, rules).counts.tolist() == [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 2]]
    many = preds.repeat(7, 40)
    assert count(many, target.repeat(7, 40), rules).counts.sum() == many.numel()
    assert count(many, target.repeat(7, 40), rules).counts[3, 3] == 2 * 280


@pytest.mark.parametrize("classes_last", [False, True])
def test_the_smallest_numbers_of_16_bits_are_told_apart(classes_last):
    """Denormal numbers must not be taken for 0, nor for each other."""
    tiny = (
        torch.tensor([[1, 2, 3, 0x8001, 0x8002, 0x3FF, 0x400, 0]], dtype=torch.int32)
        .to(torch.int16)
        .view(torch.float16)
    )
    for dtype in (torch.float16, torch.bfloat16):
        values = tiny.view(dtype)
        scores = torch.stack([values, values.roll(1, 1), values.roll(3, 1)], 1).repeat(1, 1, 33)
        scores = scores.movedim(1, -1).contiguous().movedim(-1, 1) if classes_last else scores
        expected = scores.double().argmax(1)
        counts = count(scores, expected, Rules.of(3)).counts
        assert int(counts.diagonal().sum()) == expected.numel()


@pytest.mark.parametrize("pixels", [1, 63, 64, 65, 4095, 4097, 16385, 20011])
@pytest.mark.parametrize("classes", [2, 3, 19])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_last_tile_of_channels_last_is_whole(pixels, classes, dtype):
    scores = torch.randn(1, pixels, classes).to(dtype).movedim(-1, 1)
    target = torch.randint(0, classes, (1, pixels))
    counts = count(scores, target, Rules.of(classes)).counts
    right = torch.bincount((target * (classes + 1) + scores.argmax(1)).flatten(), minlength=(classes + 1) ** 2)
    assert torch.equal(counts.flatten(), right)
