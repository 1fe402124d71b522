"""Files to scores: as a loop over pixels counts them, whatever the threads do, and the rest scored where some are bad."""

import re
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from segiou import BoundaryIoU, ConfidenceInterval, ImagewiseIoU, LabelSet, PairedComparison, SegmentationMetrics
from segiou.evaluation.evaluate import AHEAD, Counter, evaluate, in_threads
from segiou.evaluation.mask_values import Coding, count_bytes, count_classes, require_same_size
from segiou.evaluation.masks import Mask, MaskError
from segiou.evaluation.pairing import Item, Pairing, pair
from segiou.evaluation.tally import TOGETHER, Counts, Scoring, Tally
from tests.helpers import oracle

HERE = Path("mask.png")
CITY = LabelSet.of("cityscapes")
MINE = LabelSet("mine", ["road", "car"], ignore_index=255, ids={7: 0, 8: 0, 300: 1, 0: 255, -1: 255})


def meaning(coding: Coding, value: int) -> int | None:
    """The class of a value by the table, one at a time."""
    return coding.table.get(value)


codings = st.sampled_from(
    [
        (3, (), {}),
        (3, (255,), {}),
        (3, (0, 255), {}),
        (3, (255,), {"reduce_zero_label": True}),
        (3, (2, 200), {"reduce_zero_label": True}),
        (CITY, (), {}),
        (CITY, (7, 200), {}),
        (CITY, (), {"class_ids": True}),
        (MINE, (), {}),
        (255, (255,), {}),
        (300, (), {}),
    ]
)


@given(codings, st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), min_size=1, max_size=20))
def test_counts_of_bytes_are_those_of_a_loop_or_none(case, values):
    of_pred, of_label = Coding.of(case[0], case[1], of_label=False), Coding.of(case[0], case[1], **case[2])
    size = of_label.num_classes
    preds, target = ([meaning(c, pair[i]) for pair in values] for i, c in enumerate((of_pred, of_label)))
    masks = [Mask(HERE, np.array([[pair[i] for pair in values]], np.uint8)) for i in range(2)]
    counts = count_bytes(*masks, of_pred, of_label)
    if None in preds or None in target:
        assert counts is None
    else:
        expected = oracle.matrix(preds, target, size)
        assert counts.tolist() == expected
        classes = (c.classes(mask) for c, mask in zip((of_pred, of_label), masks, strict=True))
        assert count_classes(*classes, size).tolist() == expected


@given(codings, st.lists(st.integers(-2, 310), min_size=1, max_size=20), st.sampled_from([np.int16, np.int64, ">i4"]))
def test_classes_of_any_whole_numbers_are_those_of_the_table(case, values, dtype):
    coding = Coding.of(case[0], case[1], **case[2])
    expected = [meaning(coding, value) for value in values]
    mask = Mask(HERE, np.array(values, dtype))
    if None in expected:
        with pytest.raises(MaskError, match=re.escape(f"{HERE}: {coding.rule}, got ")):
            coding.classes(mask)
    else:
        assert coding.classes(mask).tolist() == expected


def table(classes, ignore=(), **how):
    found = Coding.of(classes, ignore, **how).table
    return {value: found.get(value) for value in (-1, 0, 1, 2, 3, 7, 8, 255, 300)}


def test_what_values_mean():
    no = dict.fromkeys((-1, 0, 1, 2, 3, 7, 8, 255, 300))
    assert table(2) == {**no, 0: 0, 1: 1}
    assert table(2, [255, 0]) == {**no, 0: 2, 1: 1, 255: 2}
    assert table(2, [255, 0], of_label=False) == {**no, 0: 0, 1: 1, 255: 2}
    assert table(2, reduce_zero_label=True) == {**no, 0: 2, 1: 0, 2: 1}
    assert table(MINE) == {**no, -1: 2, 0: 2, 7: 0, 8: 0, 300: 1}
    assert table(MINE, [8, 3]) == {**no, -1: 2, 0: 2, 3: 2, 7: 0, 8: 2, 300: 1}
    assert table(MINE, [8, 3], of_label=False) == {**no, -1: 2, 0: 2, 3: 2, 7: 0, 8: 0, 300: 1}
    assert table(MINE, class_ids=True) == {**no, 0: 0, 1: 1, 255: 2}


def test_codings_that_are_refused():
    with pytest.raises(ValueError, match="'mine' says itself whether 0 is ignored: leave --reduce-zero-label out"):
        Coding.of(MINE, reduce_zero_label=True)
    with pytest.raises(ValueError, match="ignored values must be between -16777215 and 16777215"):
        Coding.of(2, [2**24])


@pytest.mark.parametrize(
    ("coding", "values", "error"),
    [
        (
            Coding.of(3, [255]),
            [0, 9, 9, 400],
            "mask.png: values must be 0 to 2 or 255, got 9 (2 pixels), 400 (1 pixel): "
            "pass --label-ids to say which class each value is, "
            "or --ignore-index 9 --ignore-index 400 if these pixels are not to be scored",
        ),
        (
            Coding.of(CITY),
            [255],
            "mask.png: values must be raw ids of 'cityscapes', got 255 (1 pixel): "
            "pass --label-class-ids if these are class ids, or pass a label file as --labels that has them",
        ),
        (
            Coding.of(CITY, of_label=False, class_ids=True),
            [19],
            "mask.png: values must be class ids of 'cityscapes', got 19 (1 pixel): "
            "leave --pred-class-ids out if these are raw ids, or pass a label file as --labels that has them",
        ),
    ],
)
def test_values_that_mean_nothing_are_named(coding, values, error):
    with pytest.raises(MaskError, match="^" + re.escape(error) + "$"):
        coding.classes(Mask(HERE, np.array(values)))


def test_colours_are_classes_where_the_set_has_a_palette():
    rgb = CITY.colours(torch.tensor([[0, 18, 255]])).numpy()
    for class_ids in (False, True):
        assert Coding.of(CITY, class_ids=class_ids).classes(Mask(HERE, rgb, colours=True)).tolist() == [[0, 18, 19]]
    with pytest.raises(MaskError, match=r"mask\.png: labels are expected, got colours: pass --labels for a set whose"):
        Coding.of(19).classes(Mask(HERE, rgb, colours=True))
    with pytest.raises(MaskError, match=r"mask\.png: labels are expected, got colours, and 'ade20k' has no colours"):
        Coding.of(LabelSet.of("ade20k")).classes(Mask(HERE, rgb, colours=True))
    with pytest.raises(MaskError, match=r"mask\.png: rgb must hold colours of 'cityscapes', got \(1, 2, 3\)"):
        Coding.of(CITY).classes(Mask(HERE, np.array([[[1, 2, 3]]], np.uint8), colours=True))


def test_sizes_are_named_and_masks_are_not_resized():
    small, large = Mask(Path("a.png"), np.zeros((2, 3), np.uint8)), Mask(Path("b.png"), np.zeros((2, 3, 3), np.uint8))
    error = "a.png: is 2x3, and its label b.png is 2x3x3: masks are not resized"
    with pytest.raises(MaskError, match="^" + re.escape(error)):
        require_same_size(small, large)
    require_same_size(small, Mask(Path("b.png"), large.values, colours=True))


# ---- whole folders


def write(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def images(n: int, classes: int = 3) -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Names, predictions of two models and labels, of different sizes."""
    rng, found = np.random.default_rng(5), []
    for number in range(n):
        shape = 6 + number % 3, 9
        target = rng.integers(0, classes, shape, dtype=np.uint8)
        target[target == number % 7] = 0  # some images lack a class that is predicted there
        target[0, :2] = 255
        preds = [np.where(rng.random(shape) < p, rng.integers(0, classes, shape), target % 255) for p in (0.4, 0.2)]
        found.append((f"{number % 2}/{number}", *(p.astype(np.uint8) for p in preds), target))
    return found


@pytest.fixture
def folders(tmp_path):
    for name, a, b, target in images(2 * TOGETHER + 3):
        for folder, values in (("a", a), ("b", b), ("gt", target)):
            write(tmp_path / folder / f"{name}.png", values)
    return tmp_path


def scoring(**how) -> Scoring:
    arguments = {"num_classes": 3, "ignore_index": 255, "class_names": ["x", "y", "z"]}
    return Scoring(arguments, Coding.of(3, [255], of_label=False), Coding.of(3, [255]), **how)


def one(metric, **how):
    """What a metric says of all images, one after the other."""
    for name, a, b, target in images(2 * TOGETHER + 3):
        preds = (a, b) if metric.__class__ is PairedComparison else (a,)
        metric.update(*(p[None] for p in preds), target[None], **({"ids": [name]} if how.get("ids") else {}))
    return metric


@pytest.mark.parametrize("workers", [1, 3])
def test_every_score_is_that_of_the_metrics_bit_for_bit(folders, workers):
    outcome = evaluate(pair([folders / "a"], folders / "gt"), scoring(boundary=True, intervals=True), workers=workers)
    (result,) = outcome.results
    arguments = {"num_classes": 3, "ignore_index": 255, "class_names": ["x", "y", "z"]}
    every = one(SegmentationMetrics(**arguments, per_class=True))
    assert result.counts.tolist() == every.confmat.tolist()
    scores = {name: float(value) for name, value in result.scores.items()}
    means = [float(one(ImagewiseIoU(**arguments, over=over)).compute()) for over in ("images", "classes")]
    assert scores == {
        **{name: float(value) for name, value in every.compute().items()},
        **dict(zip(("mIoU_I", "mIoU_C"), means, strict=True)),
    }
    intervals = one(ConfidenceInterval(SegmentationMetrics(**arguments, per_class=True)), ids=True).compute()
    assert {k: [float(x) for x in v] for k, v in result.intervals.items()} == {
        k: [float(x) for x in v] for k, v in intervals.items()
    }
    kept = one(ImagewiseIoU(**arguments, keep_images=True), ids=True).images()
    assert dict(zip(result.images.ids, result.images.values.tolist(), strict=True)) == dict(
        zip(kept.ids, kept.values.tolist(), strict=True)
    )
    assert result.images.ids == sorted(kept.ids)
    assert float(result.boundary[1]) == float(one(BoundaryIoU(**arguments)).compute())
    assert result.boundary[0].tolist() == one(BoundaryIoU(**arguments, average="none")).compute().tolist()
    assert (outcome.failures, outcome.partial, outcome.differences) == ([], False, {})


def test_two_models_are_compared_as_the_metric_does(folders):
    outcome = evaluate(pair([folders / "a", folders / "b"], folders / "gt"), scoring(), workers=2)
    expected = one(
        PairedComparison(SegmentationMetrics(3, ignore_index=255, class_names=["x", "y", "z"], per_class=True)),
        ids=True,
    ).compute()
    assert set(outcome.differences) == set(expected)
    for name, found in outcome.differences.items():
        assert [float(x) for x in found.difference] == [float(x) for x in expected[name].difference]
        assert float(found.p_value) == float(expected[name].p_value)
    assert float(outcome.results[1].scores["mIoU"]) == float(expected["mIoU"].b.value)


def test_an_ignored_class_and_boundaries_of_raw_ids(tmp_path):
    rng = np.random.default_rng(0)
    raw = np.array([0, 7, 8, 11], np.uint8)
    pred, target = (raw[rng.integers(0, 4, (20, 20))] for _ in range(2))
    write(tmp_path / "a.png", pred)
    write(tmp_path / "b.png", target)
    how = Scoring({"num_classes": CITY}, Coding.of(CITY, of_label=False), Coding.of(CITY), boundary=True)
    (result,) = evaluate(pair([tmp_path / "a.png"], tmp_path / "b.png"), how, workers=1).results
    metric = BoundaryIoU(CITY, validate_args=False)
    metric.update(CITY.encode(pred)[None], CITY.encode(target)[None])
    assert float(result.boundary[1]) == float(metric.compute())
    every = SegmentationMetrics(CITY, validate_args=False)
    every.update(CITY.encode(pred)[None], CITY.encode(target)[None])
    assert result.counts.tolist() == every.confmat.tolist()
    assert int(result.counts[:-1, -1].sum()) > 0  # predictions of raw id 0 are misses


def spoil(folders: Path) -> list[str]:
    """Make some of the files bad; the names of what cannot be scored."""
    write(folders / "a/0/0.png", np.zeros((3, 4), np.uint8))
    (folders / "a/1/1.png").write_bytes(b"no image")
    write(folders / "gt/0/2.png", np.full((8, 9), 77, np.uint8))
    write(folders / "a/1/3.png", np.full((6, 9, 3), (1, 2, 3), np.uint8))
    write(folders / "gt/0/4.png", np.full((7, 9), 300, np.uint16))
    (folders / "a/1/5.png").unlink()
    return ["0/0", "0/2", "0/4", "1/1", "1/3", "1/5"]


REASONS = [
    r"a/0/0\.png: is 3x4, and its label \S+gt/0/0\.png is 6x9: masks are not resized",
    r"gt/0/2\.png: values must be 0 to 2 or 255, got 77 \(72 pixels\)",
    r"gt/0/4\.png: values must be 0 to 2 or 255, got 300 \(63 pixels\)",
    r"a/1/1\.png: cannot be read",
    r"a/1/3\.png: labels are expected, got colours",
    r"nothing of this name in \S+/a",
]


def test_bad_files_are_named_and_the_rest_is_scored(folders):
    bad = spoil(folders)
    outcome = evaluate(pair([folders / "a"], folders / "gt"), scoring(), workers=2)
    assert [name for name, _ in outcome.failures] == bad
    for (_, reason), expected in zip(outcome.failures, REASONS, strict=True):
        assert re.search(expected, reason), reason
    good = [(a, target) for name, a, _, target in images(2 * TOGETHER + 3) if name not in bad]
    total = sum(np.array(oracle.matrix(a.ravel().tolist(), t.ravel().tolist(), 3)) for a, t in good)
    assert outcome.results[0].counts.tolist() == total.tolist()
    assert len(outcome.results[0].images.ids) == len(good)


def test_strict_stops_at_the_first_bad_file(folders):
    spoil(folders)
    with pytest.raises(MaskError, match=r"a/0/0\.png"):
        evaluate(pair([folders / "a"], folders / "gt"), scoring(), workers=2, strict=True)


def test_nothing_but_bad_files_has_no_score(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    outcome = evaluate(pair([tmp_path / "a.png"], tmp_path / "b.png"), scoring(boundary=True), workers=1)
    assert outcome.results[0].scores["mIoU"].isnan()
    assert outcome.results[0].images.ids == []
    assert len(outcome.failures) == 1


def test_ctrl_c_gives_what_was_scored_by_then(folders):
    seen = []

    def watch(counts):
        seen.append(int(counts.sum()))
        if len(seen) == 5:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    outcome = evaluate(pair([folders / "a"], folders / "gt"), scoring(), workers=2, watch=watch)
    assert outcome.partial
    assert len(outcome.results[0].images.ids) == len(seen) == 5
    assert int(outcome.results[0].counts.sum()) == seen[-1]
    assert seen == sorted(seen)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_third_ctrl_c_is_as_usual(folders):
    def watch(counts):
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        evaluate(pair([folders / "a"], folders / "gt"), scoring(), workers=2, watch=watch)


def test_a_thread_that_is_not_the_main_one_can_evaluate(folders):
    found = []
    pairing = pair([folders / "a"], folders / "gt")
    thread = threading.Thread(target=lambda: found.append(evaluate(pairing, scoring(), workers=1)))
    thread.start()
    thread.join()
    assert len(found[0].results[0].images.ids) == 2 * TOGETHER + 3


def test_only_a_few_items_are_ahead():
    begun = []
    items = [Item(str(number), (), Path()) for number in range(100)]
    for place, (item, _) in enumerate(in_threads(begun.append, items, 3)):
        assert item.name == str(place)
        assert len(begun) <= place + AHEAD * 3
    assert len(begun) == 100


def test_an_error_that_is_none_of_a_file_is_raised():
    def count(item):
        raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError, match="a mistake"):
        list(in_threads(count, [Item("a", (), Path())], 2))


def test_the_threads_of_torch_are_as_before(folders):
    before = torch.get_num_threads()
    inside = []
    watch = lambda counts: inside.append(torch.get_num_threads())  # noqa: E731
    evaluate(Pairing(pair([folders / "a"], folders / "gt").items[:2], ()), scoring(), workers=2, watch=watch)
    assert inside == [1, 1]
    assert torch.get_num_threads() == before


def test_each_mask_is_read_once(folders, monkeypatch):
    import segiou.evaluation.evaluate

    read = []
    original = segiou.evaluation.evaluate.read_mask
    monkeypatch.setattr(
        segiou.evaluation.evaluate, "read_mask", lambda path, most: read.append(path) or original(path, most)
    )
    Counter(scoring(boundary=True, intervals=True))(pair([folders / "a", folders / "b"], folders / "gt").items[0])
    assert sorted(read) == sorted(folders / name / "0/0.png" for name in ("a", "b", "gt"))


def test_images_are_named_in_order_whatever_process_gave_them_first():
    """The rows of several processes come one process after the other."""
    tally = Tally(scoring(), 1)
    for number, name in enumerate(["c", "a", "b"]):
        matrix = torch.zeros(4, 4, dtype=torch.int64)
        matrix[0, 0], matrix[0, 1] = 3, number
        tally.add(name, Counts(matrix[None], None))
    tally.flush()
    (result,) = tally.results()
    assert result.images.ids == ["a", "b", "c"]
    assert result.images.values.tolist() == pytest.approx([3 / 4, 3 / 5, 1])
