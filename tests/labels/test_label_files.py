"""Label sets in files: written and read again they are the same, and what is wrong in one is named by its field."""

import json
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segiou import LabelSet, MeanIoU

SUFFIXES = (".json", ".yaml", ".yml")
MINE = {
    "name": "mine",
    "class_names": ["road", "car", "7"],
    "ignore_index": [255, 7],
    "ids": {"7": "road", "26": "car", "27": 1, "-1": 255, "0": 7, "28": "7"},
    "palette": [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
    "ignored_colours": [[0, 0, 0]],
    "groups": {"all": ["road", 1], "one": ["7"]},
    "instance_sizes": {"car": 10, "7": 2.5, "0": 1},
}


def written(path, text):
    path.write_text(text, "utf-8")
    return path


def test_every_field_is_read(tmp_path):
    labels = LabelSet.load(written(tmp_path / "a.json", json.dumps(MINE)))
    assert (labels.name, labels.names, labels.class_names) == ("mine", ("road", "car", "7"), ("road", "car", "7"))
    assert labels.ignore_index == (255, 7)
    assert labels.ids == {7: 0, 26: 1, 27: 1, -1: 255, 0: 7, 28: 2}
    assert labels.palette == ((1, 2, 3), (4, 5, 6), (7, 8, 9))
    assert labels.ignored_colours == ((0, 0, 0),)
    assert labels.groups == {"all": (0, 1), "one": (2,)}
    assert labels.instance_sizes == {1: 10, 2: 2.5, 0: 1}


def test_names_alone_are_enough_and_the_file_names_the_set(tmp_path):
    labels = LabelSet.load(written(tmp_path / "streets.json", '\ufeff{"class_names": ["a", "b"], "palette": null}'))
    assert labels == LabelSet("streets", ["a", "b"])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_presets_are_the_same_after_a_file(tmp_path, suffix):
    for name in LabelSet.presets():
        LabelSet.of(name).save(tmp_path / f"a{suffix}")
        assert LabelSet.load(tmp_path / f"a{suffix}") == LabelSet.of(name)


names = st.lists(
    st.text(min_size=1, max_size=6) | st.sampled_from(["no", "1e5", "007", "1:30", "null", "~", "[", "#"]),
    min_size=1,
    max_size=4,
    unique=True,
)


@given(st.data(), names, st.lists(st.integers(-3, 300), max_size=2, unique=True), st.sampled_from(SUFFIXES))
def test_any_set_is_the_same_after_a_file(tmp_path_factory, data, names, ignored, suffix):
    values = [*names, *range(len(names)), *ignored]
    ids = data.draw(st.none() | st.dictionaries(st.integers(-5, 2**20), st.sampled_from(values), min_size=1))
    of_names = st.sampled_from(names)
    groups = data.draw(st.dictionaries(st.text(min_size=1), st.lists(of_names, min_size=1), max_size=2))
    sizes = data.draw(st.dictionaries(of_names, st.floats(1e-3, 1e9), max_size=2))
    colours = st.tuples(*[st.integers(0, 255)] * 3)
    palette = data.draw(st.lists(colours, min_size=len(names), max_size=len(names), unique=True))
    zero = ids is None and bool(ignored) and not 0 <= ignored[0] < len(names) and data.draw(st.booleans())
    labels = LabelSet(
        "a: [b]", names, ignore_index=ignored, ids=ids, palette=palette, groups=groups, instance_sizes=sizes,
        reduce_zero_label=zero,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("sets") / f"a{suffix}"
    labels.save(path)
    assert LabelSet.load(path) == labels


WRONG = {
    "a field that is unknown": ('{"class_names": ["a"], "colors": []}', "unknown field 'colors': the fields are name, "),
    "a field that is nearly known": ('{"class_name": ["a"]}', "unknown field 'class_name': did you mean 'class_names'?"),
    "no names": ('{"ids": {"0": 0}}', "the field class_names is missing"),
    "a field twice": ('{"class_names": ["a"], "class_names": ["b"]}', "'class_names' is given twice"),
    "a raw id twice": ('{"class_names": ["a"], "ids": {"7": 0, "7": 0}}', "'7' is given twice"),
    "a raw id in two ways": ('{"class_names": ["a"], "ids": {"7": 0, "07": 0}}', "ids must hold each raw id once, got 7"),
    "a raw id that is none": ('{"class_names": ["a"], "ids": {"7.0": 0}}', "ids must have whole numbers as keys, got '7.0'"),
    "ids that map nothing": ('{"class_names": ["a"], "ids": [1]}', "ids must map raw ids to classes, got [1]"),
    "a class of ids that is none": ('{"class_names": ["a"], "ids": {"7": "b"}}', "ids[7] must be a class of 0 to 0, or a"),
    "a half": ('{"class_names": ["a"], "ids": {"7": 0.5}}', "ids[7] must hold integers, got 0.5"),
    "a name twice": ('{"class_names": ["a", "a"]}', "class_names must be different from each other, got 'a' 2 times"),
    "a name that is no text": ('{"class_names": ["a", 1]}', "class_names must be texts that are not empty, got 1"),
    "names that are a text": ('{"class_names": "ab"}', "class_names must be a sequence of names, got 'ab'"),
    "a colour twice": ('{"class_names": ["a", "b"], "palette": [[1, 2, 3], [1, 2, 3]]}', "palette must be different from"),
    "too few colours": ('{"class_names": ["a", "b"], "palette": [[1, 2, 3]]}', "palette must hold a colour for each of"),
    "no colour": ('{"class_names": ["a"], "palette": [[1, 2, 300]]}', "palette must hold colours of red, green and blue"),
    "a group of nobody": ('{"class_names": ["a"], "groups": {"g": ["b"]}}', "groups['g'] must be a class of 0 to 0, or a"),
    "an ignored value that is none": ('{"class_names": ["a"], "ignore_index": "x"}', "ignore_index must be an int, several"),
    "no flag": ('{"class_names": ["a"], "reduce_zero_label": 1}', "reduce_zero_label must be True or False, got 1"),
    "sizes of nobody": ('{"class_names": ["a"], "instance_sizes": {"b": 1}}', "instance_sizes must be a class of 0 to 0"),
    "a size of 0": ('{"class_names": ["a"], "instance_sizes": {"a": 0}}', "instance_sizes must hold positive numbers of pixels, got 0"),
    "sizes of nothing": ('{"class_names": ["a"], "instance_sizes": [1]}', "instance_sizes must map classes to pixels"),
    "no fields": ("[1, 2]", "must hold fields such as class_names, got [1, 2]"),
    "an empty file": ("", "is no JSON"),
    "a number that is none": ('{"class_names": ["a"], "ignore_index": NaN}', "NaN is no number"),
    "a pit": ("[" * 100_000, "is no JSON"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_by_file_and_field(tmp_path, case):
    text, error = WRONG[case]
    path = written(tmp_path / "a.json", text)
    with pytest.raises(ValueError, match=re.escape(error)) as caught:
        LabelSet.load(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_yaml_is_read_as_json_has_it(tmp_path):
    text = "class_names: [no, 'yes', null_, 1:30]\nids:\n  7: no\n  010x: 1\n"
    path = written(tmp_path / "a.yaml", text)
    with pytest.raises(ValueError, match=r"a\.yaml: ids must have whole numbers as keys, got '010x'"):
        LabelSet.load(path)
    path.write_text(text.replace("010x", "010"))  # which YAML 1.1 takes for 8
    labels = LabelSet.load(path)
    assert labels.names == ("no", "yes", "null_", "1:30")
    assert labels.ids == {7: 0, 10: 1}
    for wrong, error in (
        ("class_names: [a]\nids: {7: 0, 7: 0}", "7 is given twice"),
        ("class_names: [a]\nids: {7: 0, '7': 0}", "ids must hold each raw id once, got 7 twice"),
        ("class_names: [a]\n? [1, 2]\n: 3", "keys must be texts or whole numbers, got"),
        ("class_names: [a", "is no YAML of a label set"),
        ("class_names: !!python/object/apply:os.getcwd []", "is no YAML of a label set"),
        ("&a [*a]", "must hold fields such as class_names"),
    ):
        path.write_text(wrong)
        with pytest.raises(ValueError, match=error):
            LabelSet.load(path)


def test_yaml_needs_pyyaml_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    path = written(tmp_path / "a.yaml", "class_names: [a]")
    for call in (lambda: LabelSet.load(path), lambda: LabelSet("a", ["a"]).save(path)):
        with pytest.raises(ValueError, match="YAML needs PyYAML: pip install pyyaml, or write JSON"):
            call()


def test_a_file_in_place_of_a_preset_says_how_it_is_loaded():
    with pytest.raises(ValueError, match=r"pass LabelSet\.load\('mine\.json'\)"):
        MeanIoU("mine.json")


def test_files_that_are_no_label_set(tmp_path):
    for call in (lambda: LabelSet.load(tmp_path / "a.txt"), lambda: LabelSet("a", ["a"]).save(tmp_path / "a.txt")):
        with pytest.raises(
            ValueError, match=r"a file of a label set must end with \.json, \.yaml, \.yml, got 'a\.txt'"
        ):
            call()
    (tmp_path / "b.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="must be text in UTF-8"):
        LabelSet.load(tmp_path / "b.json")
    with pytest.raises(FileNotFoundError):
        LabelSet.load(tmp_path / "c.json")
