"""What the shell says to do: each remedy is followed, and gives the score of an independent count."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segiou import LabelSet
from tests.helpers.shell_cases import plain, run

SHAPE = (12, 15)
VOID = -1


def scenes(classes: int, number: int = 3, void: bool = False) -> list[tuple[np.ndarray, np.ndarray]]:
    """Predictions and labels as class ids; a label may hold VOID."""
    rng, found = np.random.default_rng(classes), []
    for _ in range(number):
        label = rng.integers(0, classes, SHAPE)
        pred = np.where(rng.random(SHAPE) < 0.3, rng.integers(0, classes, SHAPE), label)
        if void:
            label = np.where(rng.random(SHAPE) < 0.2, VOID, label)
        found.append((pred, label))
    return found


def miou(pairs, classes: int) -> float:
    """By a loop over all pixels, in integers."""
    hits, unions = [0] * classes, [0] * classes
    for pred, label in pairs:
        for p, t in zip(pred.ravel().tolist(), label.ravel().tolist(), strict=True):
            if t == VOID:
                continue
            for c in {p, t} - {VOID}:
                unions[c] += 1
                hits[c] += p == t
    return sum(hits[c] / unions[c] for c in range(classes) if unions[c]) / sum(map(bool, unions))


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


def write(folder: str, place: int, values: np.ndarray, suffix: str = ".png") -> None:
    Path(folder).mkdir(exist_ok=True)
    path = Path(folder, f"{place}{suffix}")
    if suffix == ".npy":
        np.save(path, values)
    else:
        Image.fromarray(values.astype(np.uint8 if values.max() < 256 else np.uint16)).save(path)


def spread(pairs, preds: dict[int, int], labels: dict[int, int], suffix: str = ".png") -> None:
    """Write class ids as the values that stand for them."""
    for place, pair in enumerate(pairs):
        for folder, values, table in zip(("pred", "label"), pair, (preds, labels), strict=True):
            write(folder, place, np.vectorize(table.__getitem__)(values), suffix)


def said(*arguments: str) -> str:
    """What is wrong with the first file, as the shell says it."""
    error = run("evaluate", "pred", "label", *arguments, code=1).stderr
    return re.search(r"could not be scored:\n(.*)\n", error)[1]


def score(*arguments: str, code: int = 0) -> float:
    run("evaluate", "pred", "label", *arguments, "--json", "out.json", code=code)
    return json.loads(Path("out.json").read_text())["scores"]["mIoU"]


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-6)


SAME, FULL = {0: 0, 1: 1}, {0: 0, 1: 255}


@pytest.mark.parametrize("foreground", [255, 7])
def test_masks_of_0_and_255_in_both_folders(foreground):
    pairs = scenes(2)
    spread(pairs, {0: 0, 1: foreground}, {0: 0, 1: foreground})
    assert score("--foreground", str(foreground)) == near(miou(pairs, 2))
    assert score("--ids", f"0:0,{foreground}:1") == near(miou(pairs, 2))
    assert score("--num-classes", "2", "--foreground", str(foreground)) == near(miou(pairs, 2))
    if foreground == 255:
        text = said("--num-classes", "2")
        assert "pass --foreground 255 (of both folders) or --label-ids 0:0,255:1 (of this one) if 255 is the" in text
        assert "--ignore-index" not in text
        text = said("--num-classes", "2", "--label-ids", "0:0,255:1")
        assert "or --pred-ids 0:0,255:1 (of this one) if 255 is the foreground" in text
        assert "--ignore-index" not in text
        both = ["--pred-ids", "0:0,255:1", "--label-ids", "0:0,255:1"]
        assert score("--num-classes", "2", *both) == near(miou(pairs, 2))


@pytest.mark.parametrize(("preds", "labels", "kind"), [(SAME, FULL, "label"), (FULL, SAME, "pred")])
def test_masks_of_0_and_255_in_one_folder(preds, labels, kind):
    pairs = scenes(2)
    spread(pairs, preds, labels)
    text = said("--num-classes", "2")
    assert f"--{kind}-ids 0:0,255:1 (of this one)" in text
    assert score("--num-classes", "2", f"--{kind}-ids", "0:0,255:1") == near(miou(pairs, 2))
    other = "pred" if kind == "label" else "label"
    text = said("--foreground", "255")  # the remedy for both, where it is one
    assert f"pass --{other}-ids 0:0,1:1 if these are class ids" in text
    assert score("--foreground", "255", f"--{other}-ids", "0:0,1:1") == near(miou(pairs, 2))


@pytest.mark.parametrize("kind", ["1-bit PNG", "bool NPY"])
def test_masks_of_one_bit_with_a_foreground_of_255(kind):
    """The remedy for both folders is named; True is no value of a mask."""
    pairs = scenes(2)
    for place, pair in enumerate(pairs):
        for folder, values in zip(("pred", "label"), pair, strict=True):
            Path(folder).mkdir(exist_ok=True)
            if kind == "bool NPY":
                np.save(Path(folder, f"{place}.npy"), values.astype(bool))
            else:
                Image.fromarray(values.astype(bool)).save(Path(folder, f"{place}.png"))
    text = said("--foreground", "255")
    assert "got 1 (" in text
    assert "True" not in text
    assert "or --num-classes 2 alone if those of both folders are" in text
    assert score("--num-classes", "2") == near(miou(pairs, 2))
    both = ["--label-ids", "0:0,1:1", "--pred-ids", "0:0,1:1"]
    assert score("--foreground", "255", *both) == near(miou(pairs, 2))


def test_smoothed_edges_are_no_classes():
    spread(scenes(2), SAME, SAME)
    write("label", 0, np.arange(180).reshape(SHAPE))
    text = said("--num-classes", "2")
    assert "or save masks whose edges are not smoothed if these values are no classes" in text
    assert "--ignore-index" not in text


@pytest.mark.parametrize(("axis", "remedy"), [(0, "argmax(0) of scores or one-hot maps"), (-1, "argmax(-1) of")])
def test_one_hot_maps_are_to_be_saved_as_class_ids(axis, remedy):
    pairs = scenes(3)
    for place, (pred, label) in enumerate(pairs):
        write("label", place, label, ".npy")
        write("pred", place, np.moveaxis(np.eye(3, dtype=np.uint8)[pred], -1, axis), ".npy")
    assert f"save one class id a pixel, {remedy}" in said("--num-classes", "3")
    for place in range(len(pairs)):
        write("pred", place, np.load(f"pred/{place}.npy").argmax(axis), ".npy")
    assert score("--num-classes", "3") == near(miou(pairs, 3))
    for place, (pred, _) in enumerate(pairs):
        write("pred", place, pred[None], ".npy")
    assert "save one class id a pixel, without the axis 0 of length 1" in said("--num-classes", "3")


def test_an_empty_file_is_called_empty():
    spread(scenes(2), SAME, SAME)
    Path("label/0.png").write_bytes(b"")
    assert said("--num-classes", "2").endswith("label/0.png: cannot be read (it is empty)")


def test_a_foreground_that_is_ignored_in_labels_alone_is_said():
    pairs = scenes(2)
    spread(pairs, SAME, FULL)
    found = run("evaluate", "pred", "label", "--num-classes", "2", "--ignore-index", "255")
    assert "pass --num-classes 2 --label-ids 0:0,255:1 in place of --ignore-index 255" in found.stdout
    assert score("--num-classes", "2", "--label-ids", "0:0,255:1") == near(miou(pairs, 2))


def test_a_mask_without_axes_is_named_and_the_rest_is_scored():
    pairs = scenes(2)
    spread(pairs, SAME, SAME, ".npy")
    for folder in ("pred", "label"):
        np.save(Path(folder, "number.npy"), np.uint8(1))
    assert score("--num-classes", "2", "--boundary", code=1) == near(miou(pairs, 2))
    assert "a mask must have pixels along one axis or more, got a single number" in said("--num-classes", "2")


def test_a_byte_order_mark_is_no_part_of_a_name():
    pairs = scenes(2)
    spread(pairs, SAME, SAME)
    Path("names.txt").write_bytes(b"\xef\xbb\xbfground\nroad\n")
    Path("groups.json").write_bytes(b'\xef\xbb\xbf{"all": ["ground", "road"]}')
    assert score("--names", "names.txt", "--groups", "groups.json") == near(miou(pairs, 2))
    assert json.loads(Path("out.json").read_text())["classes"][0]["name"] == "ground"


def test_a_foreground_that_a_label_set_ignores_is_said():
    pairs = scenes(2)
    spread(pairs, FULL, FULL)
    found = run("evaluate", "pred", "label", "--labels", "pascal_voc")
    assert "if 255 is the foreground, pass --foreground 255 in place of --labels pascal_voc" in found.stdout
    assert score("--foreground", "255") == near(miou(pairs, 2))
    found = run("evaluate", "pred", "label", "--num-classes", "9", "--ignore-index", "255")
    assert "pass --foreground 255 in place of --ignore-index 255" in found.stdout
    spread(scenes(3, void=True), {c: c for c in range(3)}, {0: 0, 1: 1, 2: 2, VOID: 255})
    assert "--foreground" not in run("evaluate", "pred", "label", "--labels", "pascal_voc").stdout


def test_a_foreground_that_is_ignored_is_said():
    pairs = scenes(2)
    spread(pairs, FULL, FULL)
    found = run("evaluate", "pred", "label", "--num-classes", "2", "--ignore-index", "255")
    assert "if 255 is the foreground, pass --foreground 255 in place of --ignore-index 255" in found.stdout
    assert score("--foreground", "255") == near(miou(pairs, 2))
    spread(scenes(2, void=True), FULL, {0: 0, 1: 1, VOID: 255})
    found = run("evaluate", "pred", "label", "--num-classes", "2", "--ignore-index", "255", "--pred-ids", "0:0,255:1")
    assert "foreground" not in found.stdout


def test_masks_of_0_and_255_where_there_are_more_classes():
    pairs = [(np.zeros(SHAPE, int), np.full(SHAPE, VOID)), *scenes(3, void=True)]
    spread(pairs, {c: c for c in range(3)}, {0: 0, 1: 1, 2: 2, VOID: 255})
    text = said("--num-classes", "3")
    assert "if 255 is the foreground of two classes, pass --foreground 255" in text
    assert "or --ignore-index 255 if these pixels are not to be scored" in text
    assert score("--num-classes", "3", "--ignore-index", "255") == near(miou(pairs, 3))
    assert "--foreground is for 2 classes, got 3" in plain(
        run("evaluate", "pred", "label", "--num-classes", "3", "--foreground", "255", code=2).stderr
    )


def test_values_that_are_not_to_be_scored():
    pairs = scenes(3, void=True)
    spread(pairs, {c: c for c in range(3)}, {0: 0, 1: 1, 2: 2, VOID: 9})
    text = said("--num-classes", "3")
    assert "--ignore-index 9 if these pixels are not to be scored" in text
    assert score("--num-classes", "3", "--ignore-index", "9") == near(miou(pairs, 3))


def test_predictions_of_no_class():
    pairs = scenes(3)
    pairs = [(np.where(np.random.default_rng(0).random(SHAPE) < 0.2, VOID, pred), label) for pred, label in pairs]
    spread(pairs, {0: 0, 1: 1, 2: 2, VOID: 9}, {c: c for c in range(3)})
    text = said("--num-classes", "3")
    assert "--ignore-index 9 if these pixels are of no class, which makes them misses" in text
    assert score("--num-classes", "3", "--ignore-index", "9") == near(miou(pairs, 3))


def test_other_ids_in_labels_and_in_predictions():
    pairs = scenes(3)
    spread(pairs, {0: 10, 1: 20, 2: 30}, {0: 5, 1: 50, 2: 500})
    assert "pass --label-ids to say which class each value is" in said("--num-classes", "3")
    labels = ["--num-classes", "3", "--label-ids", "5:0,50:1,500:2"]
    assert "pass --pred-ids to say which class each value is" in said(*labels)
    assert score(*labels, "--pred-ids", "10:0,20:1,30:2") == near(miou(pairs, 3))
    assert "add them to --pred-ids if they are of a class" in said(*labels, "--pred-ids", "10:0,20:1")
    Path("names.txt").write_text("a\nb\nc\n")
    named = ["--names", "names.txt", "--label-ids", "5:a,50:b,500:c", "--pred-ids", "10:a,20:1,30:c"]
    assert score(*named) == near(miou(pairs, 3))


def test_an_ignored_value_is_no_class_id_where_ids_are_given():
    pairs = scenes(2, void=True)
    spread(pairs, SAME, {0: 10, 1: 20, VOID: 1})
    assert score("--num-classes", "2", "--label-ids", "10:0,20:1", "--ignore-index", "1") == near(miou(pairs, 2))


def test_one_class_more_and_labels_that_begin_with_1():
    pairs = scenes(4)
    spread(pairs, {c: c for c in range(4)}, {c: c for c in range(4)})
    assert "pass --num-classes 4 if 3 is a class" in said("--num-classes", "3")
    assert score("--num-classes", "4") == near(miou(pairs, 4))
    pairs = scenes(3, void=True)
    spread(pairs, {c: c + 1 for c in range(3)}, {0: 1, 1: 2, 2: 3, VOID: 0})
    assert "--reduce-zero-label if 1 is the first class and 0 no label" in said("--num-classes", "3")
    reduced = ["--num-classes", "3", "--reduce-zero-label"]
    assert "--pred-ids 1:0,2:1 and so on if 1 is the first class" in said(*reduced)
    assert score(*reduced, "--pred-ids", "1:0,2:1,3:2") == near(miou(pairs, 3))


CITY = LabelSet.of("cityscapes")
CLASS_IDS = {**{c: c for c in range(19)}, VOID: 255}
RAW = {**{c: next(raw for raw, value in CITY.ids.items() if value == c) for c in range(19)}, VOID: 0}


def test_class_ids_that_are_read_as_raw_ids():
    pairs = scenes(19, void=True)
    spread(pairs, CLASS_IDS, CLASS_IDS)
    text = said("--labels", "cityscapes")
    assert "pass --label-class-ids if these are class ids" in text
    assert "--ignore-index" not in text  # which would read the others as raw ids
    found = run("evaluate", "pred", "label", "--labels", "cityscapes", "--label-class-ids")
    assert "does PRED hold other ids? see --pred-class-ids" in found.stdout
    assert score("--labels", "cityscapes", "--label-class-ids", "--pred-class-ids") == near(miou(pairs, 19))


@pytest.mark.parametrize("kind", ["pred", "label"])
def test_raw_ids_that_are_read_as_class_ids(kind):
    pairs = scenes(19, void=True)
    spread(pairs, RAW, RAW)
    text = said("--labels", "cityscapes", f"--{kind}-class-ids")
    assert f"leave --{kind}-class-ids out if these are raw ids" in text
    assert "--ignore-index" not in text
    assert score("--labels", "cityscapes") == near(miou(pairs, 19))


def test_values_that_a_set_does_not_have():
    pairs = scenes(19, void=True)
    spread(pairs, RAW, {**RAW, VOID: 77})
    assert "pass a label file as --labels that has them, or --ignore-index 77" in said("--labels", "cityscapes")
    assert score("--labels", "cityscapes", "--ignore-index", "77") == near(miou(pairs, 19))
    fields = json.loads(run("labels", "cityscapes", "--json").stdout)
    fields["ids"]["77"] = 255
    Path("mine.json").write_text(json.dumps(fields))
    assert score("--labels", "mine.json") == near(miou(pairs, 19))


def test_predictions_that_are_no_class_by_other_ids():
    pairs = scenes(2)
    spread(pairs, {0: 7, 1: 255}, SAME)
    found = run("evaluate", "pred", "label", "--num-classes", "2", "--ignore-index", "255", "--ignore-index", "7")
    assert "does PRED hold other ids? see --pred-ids" in found.stdout
    assert score("--num-classes", "2", "--pred-ids", "7:0,255:1") == near(miou(pairs, 2))


def test_pixels_without_a_number():
    pairs = scenes(3, void=True)
    spread(pairs, {0: 0, 1: 1, 2: 2}, {0: 0.0, 1: 1.0, 2: 2.0, VOID: np.nan}, ".npy")
    assert "pass --ignore-index nan if they are not to be scored" in said("--num-classes", "3")
    assert score("--num-classes", "3", "--ignore-index", "nan") == near(miou(pairs, 3))
    pairs = [(np.where(label == VOID, VOID, pred), pred) for pred, label in pairs]
    spread(pairs, {0: 0.0, 1: 1.0, 2: 2.0, VOID: np.nan}, {0: 0, 1: 1, 2: 2}, ".npy")
    assert "pass --ignore-index nan if they are of no class, which makes them misses" in said("--num-classes", "3")
    assert score("--num-classes", "3", "--ignore-index", "nan") == near(miou(pairs, 3))


def test_colours():
    pairs = scenes(3)
    table = np.array([[9, 0, 0], [0, 9, 0], [1, 2, 3]], np.uint8)
    for place, (pred, label) in enumerate(pairs):
        write("pred", place, pred)
        write("label", place, table[label])
    assert "labels are expected, got colours: pass --labels for a set whose palette" in said("--num-classes", "3")
    fields = {"class_names": ["a", "b", "c"], "palette": [[9, 0, 0], [0, 9, 0], [1, 2, 3]]}
    Path("mine.json").write_text(json.dumps(fields))
    assert score("--labels", "mine.json") == near(miou(pairs, 3))
    text = said("--labels", "cityscapes", "--pred-class-ids")
    assert "pass a label file as --labels whose palette has them, or its ignored_colours" in text
    assert "unknown=" not in text
    fields = {"class_names": ["a", "b"], "palette": [[9, 0, 0], [0, 9, 0]]}
    fields |= {"ignored_colours": [[1, 2, 3]], "ignore_index": 255, "ids": {"0": 0, "1": 1, "2": 255}}
    Path("mine.json").write_text(json.dumps(fields))
    left = [(np.where(pred == 2, VOID, pred), np.where(label == 2, VOID, label)) for pred, label in pairs]
    assert score("--labels", "mine.json") == near(miou(left, 2))


def test_suffixes_of_names():
    pairs = scenes(3)
    for place, (pred, label) in enumerate(pairs):
        write("pred", place, pred, "_p.png")
        write("label", place, label, "_gt.png")
    error = run("evaluate", "pred", "label", "--num-classes", "3", code=2).stderr
    assert "pass --pred-suffix or --label-suffix for what their names end with" in plain(error)
    assert score("--num-classes", "3", "--pred-suffix", "_p", "--label-suffix", "_gt") == near(miou(pairs, 3))


WRONG = {
    "ids twice": (["--ids", "0:0,0:1"], "--ids must give each value once, got 0 twice"),
    "no pairs": (["--ids", "0,255"], "--ids must be VALUE:CLASS, several with commas, such as 0:0,255:1, got '0,255'"),
    "too large": (["--ids", "0:0,99999999:1"], "--ids must be VALUE:CLASS"),
    "no such class": (["--num-classes", "2", "--ids", "0:0,255:2"], "--ids must give classes of 0 to 1, got '2' for 255"),
    "no such name": (["--names", "n.txt", "--ids", "0:a,255:c"], "--ids must give classes of 0 to 1, or their names"),
    "two meanings": (["--names", "m.txt", "--ids", "0:1,255:0"], "'1' is the name of class 0, and another's id"),
    "a class without a value": (["--ids", "0:0,255:2"], "no value is of class 1: pass --num-classes for how many there"),
    "names without names": (["--ids", "0:a,255:b"], "classes must be ids where there is no --names, got 'a'"),
    "both": (["--ids", "0:0,255:1", "--foreground", "255"], "--foreground and --ids say the same"),
    "nothing": (["--foreground", "0"], "--foreground is the value of class 1 beside 0"),
    "a set": (["--labels", "ade20k", "--pred-ids", "0:0"], "--ids and --foreground are for --num-classes or --names"),
    "reduced": (["--ids", "0:0,255:1", "--reduce-zero-label"], "--reduce-zero-label and --ids say both what LABEL holds"),
    "ignored": (["--foreground", "255", "--ignore-index", "255"], "255 in LABEL is class 1 by its ids, and not scored"),
    "no number": (["--num-classes", "2", "--ignore-index", "x"], "--ignore-index must be a whole number or nan, got 'x'"),
    "nan as a score": (["--num-classes", "2", "--absent", "nan"], "--absent must be 'skip' or a number between 0 and 1"),
    "a group twice": (["--num-classes", "2", "--groups", "g.json"], "g.json: 'a' is given twice"),
    "an unknown field": (["--labels", "l.json"], "l.json: unknown field 'colors'"),
    "no such file": (["--labels", "none.json"], "none.json: No such file or directory"),
    "no file of names": (["--names", "none.txt"], "none.txt: No such file or directory"),
    "a typo of preset": (["--labels", "cityscapes", "--groups", "prest"], "--groups must be preset or a JSON file of"),
    "a typo of a name": (["--names", "n.txt", "--exclude", "aa"], "got 'aa': did you mean 'a'?"),
    "too many classes": (["--num-classes", "1000000"], "1,000,000 classes need a matrix of 1,000,001 x 1,000,001 counts"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_said_before_the_work(monkeypatch, case):
    spread(scenes(2), SAME, SAME)
    Path("n.txt").write_text("a\nb\n")
    Path("m.txt").write_text("1\n0\n")
    Path("g.json").write_text('{"a": [0], "a": [1]}')
    Path("l.json").write_text('{"class_names": ["a"], "colors": []}')
    arguments, error = WRONG[case]
    assert error in plain(run("evaluate", "pred", "label", *arguments, code=2).stderr)
