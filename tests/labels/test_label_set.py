"""Label sets: the facts of the presets, and maps of labels and colours held to a dictionary and a loop."""

import copy
import dataclasses
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segiou import LabelSet
from tests.helpers.oracle import pixels
from tests.helpers.strategies import INTEGERS, labels, shapes

CITYSCAPES = LabelSet.of("cityscapes")
VOC = LabelSet.of("pascal_voc")
ADE = LabelSet.of("ade20k")

# ---- facts

CITYSCAPES_NAMES = (
    "road,sidewalk,building,wall,fence,pole,traffic light,traffic sign,vegetation,terrain,sky,person,rider,car,truck,"
    "bus,train,motorcycle,bicycle"
)
EVALUATED = [
    7,
    8,
    11,
    12,
    13,
    17,
    19,
    20,
    21,
    22,
    23,
    24,
    25,
    26,
    27,
    28,
    31,
    32,
    33,
]  # raw ids in the order of classes


@pytest.mark.parametrize(
    ("name", "classes", "first", "last"),
    [
        ("cityscapes", 19, "road", "bicycle"),
        ("pascal_voc", 21, "background", "tvmonitor"),
        ("ade20k", 150, "wall", "flag"),
        ("coco_stuff", 171, "person", "wood"),
        ("pascal_context", 59, "aeroplane", "wood"),
        ("pascal_context_60", 60, "background", "wood"),
    ],
)
def test_sizes_of_presets(name, classes, first, last):
    preset = LabelSet.of(name)
    assert preset.name == name
    assert preset.num_classes == len(preset.class_names) == classes
    assert (preset.class_names[0], preset.class_names[-1]) == (first, last)
    assert preset.ignore_index == (255,)
    assert all(each == each.strip() for each in preset.class_names)
    assert preset.reduce_zero_label is (name in ("ade20k", "pascal_context"))


def test_presets_are_all_named():
    assert {LabelSet.of(name).name for name in LabelSet.presets()} == set(LabelSet.presets())
    assert len(LabelSet.presets()) == 6


def test_names_in_the_middle():
    assert ADE.class_names[7] == "bed"
    assert ADE.class_names[74] == "computer"
    assert LabelSet.of("coco_stuff").class_names[79:81] == ("toothbrush", "banner")
    assert VOC.class_names[15] == "person"
    assert LabelSet.of("pascal_context_60").class_names[1:] == LabelSet.of("pascal_context").class_names


def test_cityscapes_maps_35_raw_labels():
    assert ",".join(CITYSCAPES.class_names) == CITYSCAPES_NAMES
    assert sorted(CITYSCAPES.ids) == list(range(-1, 34))
    for raw, value in CITYSCAPES.ids.items():
        assert value == (EVALUATED.index(raw) if raw in EVALUATED else 255)


def test_cityscapes_categories():
    flat = [name for members in CITYSCAPES.groups.values() for name in members]
    assert flat == list(range(19))
    assert {group: len(members) for group, members in CITYSCAPES.groups.items()} == {
        "flat": 2,
        "construction": 3,
        "object": 3,
        "nature": 2,
        "sky": 1,
        "human": 2,
        "vehicle": 6,
    }


def test_cityscapes_colours():
    assert CITYSCAPES.palette[0] == (128, 64, 128)
    assert CITYSCAPES.palette[13] == (0, 0, 142)
    assert CITYSCAPES.palette[18] == (119, 11, 32)
    assert CITYSCAPES.ignored_colours[:2] == ((0, 0, 0), (111, 74, 0))
    assert len(CITYSCAPES.ignored_colours) == 10


def bit_colour(number: int) -> tuple[int, ...]:
    """Channel k is made of every third bit of the number from bit k on, the lowest of them first and highest."""
    return tuple(int(f"{number:024b}"[::-1][channel::3], 2) for channel in range(3))


def test_voc_colours_follow_the_bits():
    assert VOC.palette == tuple(bit_colour(number) for number in range(21))
    assert VOC.ignored_colours == (bit_colour(255),)


@pytest.mark.parametrize("name", ["ade20k", "pascal_context"])
def test_zero_is_reduced(name):
    preset = LabelSet.of(name)
    assert dict(preset.ids) == {0: 255, 255: 255, **{number + 1: number for number in range(preset.num_classes)}}


@pytest.mark.parametrize("name", ["pascal_voc", "coco_stuff", "pascal_context_60"])
def test_raw_ids_that_are_class_ids(name):
    preset = LabelSet.of(name)
    assert dict(preset.ids) == {255: 255, **{number: number for number in range(preset.num_classes)}}


# ---- by name


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("Cityscapes", "cityscapes"),
        ("voc2012", "pascal_voc"),
        ("PASCAL VOC", "pascal_voc"),
        ("ADE20K-150", "ade20k"),
        ("COCO-Stuff 164k", "coco_stuff"),
        ("Pascal-Context", "pascal_context"),
        ("pascal_context_59", "pascal_context"),
        ("PascalContext60", "pascal_context_60"),
    ],
)
def test_spellings(spelling, name):
    assert LabelSet.of(spelling) is LabelSet.of(name)


def test_of_a_label_set_is_itself():
    mine = LabelSet("mine", ["a"])
    assert LabelSet.of(mine) is mine


NAMES = "cityscapes, pascal_voc, ade20k, coco_stuff, pascal_context, pascal_context_60"


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("city_scape", ValueError, f"one of {NAMES}, got 'city_scape': did you mean 'cityscapes'?"),
        ("pascal_context_33", ValueError, f"one of {NAMES}, got 'pascal_context_33': did you mean 'pascal_context'?"),
        ("qqq", ValueError, f"one of {NAMES}, got 'qqq': pass a LabelSet for other data"),
        (19, TypeError, "the name of a preset, got 19"),
    ],
)
def test_unknown_names(value, error, message):
    with pytest.raises(error) as raised:
        LabelSet.of(value)
    start = "the label set must be a LabelSet or "
    assert str(raised.value) == start + message


def test_presets_are_read_when_asked_for():
    probe = "import segiou; from segiou.labels import presets; print(presets.facts.cache_info().currsize)"
    out = [
        subprocess.run([sys.executable, "-c", probe + more], capture_output=True, text=True, check=True).stdout
        for more in ("", "; segiou.LabelSet.of('voc'); print(presets.facts.cache_info().currsize)")
    ]
    assert [text.split() for text in out] == [["0"], ["0", "1"]]


# ---- label maps

MINE = LabelSet("mine", ["a", "b", "c"], ignore_index=(255, -3), ids={0: 1, 1: 0, -7: 2, 5: 255, 300: "c", 9: -3})


def naive(values: list[int], table: dict[int, int], unknown: int | None = None) -> list[int]:
    """Each value by itself, never what another became."""
    return [table[value] if value in table or unknown is None else unknown for value in values]


SETS = st.sampled_from([CITYSCAPES, VOC, ADE, MINE, LabelSet("zero", ["x", "y"], ignore_index=0)])


@given(data=st.data(), chosen=SETS, shape=shapes, as_array=st.booleans())
def test_encode_is_the_dictionary(data, chosen, shape, as_array):
    raw = data.draw(labels(shape, 40, wild=True))
    before = pixels(raw)
    given_raw = raw.numpy() if as_array else raw
    found = chosen.encode(given_raw, unknown="ignore")
    assert isinstance(found, np.ndarray if as_array else torch.Tensor)
    assert tuple(found.shape) == shape
    assert np.asarray(found).dtype == (np.int64 if chosen is MINE else np.uint8)
    expected = naive(pixels(raw), dict(chosen.ids), chosen.ignore_index[0])
    assert np.asarray(found).reshape(-1).tolist() == expected
    assert pixels(raw) == before


@given(data=st.data(), chosen=SETS, shape=shapes)
def test_an_error_names_every_unknown_id(data, chosen, shape):
    raw = data.draw(labels(shape, 40, wild=True))
    unknown = [value for value in pixels(raw) if value not in chosen.ids]
    if not unknown:
        assert pixels(chosen.encode(raw)) == naive(pixels(raw), dict(chosen.ids))
        return
    with pytest.raises(ValueError, match="must hold ids of") as raised:
        chosen.encode(raw)
    named = re.findall(r"(-?\d+) \((\d+) pixels?\)", str(raised.value))
    assert len(named) == min(5, len(set(unknown)))
    assert all(unknown.count(int(value)) == int(number) for value, number in named)
    rest = re.search(r"and (\d+) other value", str(raised.value))
    assert (int(rest.group(1)) if rest else 0) == max(0, len(set(unknown)) - 5)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_known_ids_of_every_dtype(dtype):
    raws = [raw for raw in (*range(34), -1) if raw >= 0 or dtype.is_signed]
    found = CITYSCAPES.encode(torch.tensor(raws).to(dtype))
    assert found.tolist() == [CITYSCAPES.ids[raw] for raw in raws]


def test_replacements_are_not_chained_and_not_in_place():
    swap = LabelSet("swap", ["a", "b"], ids={0: 1, 1: 0})
    raw = np.array([0, 1, 1, 0])
    found = swap.encode(raw)
    assert found.tolist() == [1, 0, 0, 1]
    assert raw.tolist() == [0, 1, 1, 0]
    assert not np.shares_memory(found, raw)


def test_result_of_identity_is_new_memory():
    raw = torch.tensor([0, 1, 255], dtype=torch.uint8)
    found = VOC.encode(raw)
    found.zero_()
    assert raw.tolist() == [0, 1, 255]


@pytest.mark.parametrize(
    "raw",
    [
        np.array([[7, 26], [0, 33]])[::-1, ::-1],
        np.array([[7, 26], [0, 33]], dtype=">i4"),
        np.broadcast_to(np.array([7, 26], dtype=np.uint8), (3, 2)),
        np.array([[7, 26], [0, 33]], order="F")[:, 1:],
        np.array(26),
        np.zeros((0, 4), dtype=np.uint8),
    ],
    ids=["reversed", "big endian", "read-only", "strided", "a number", "empty"],
)
def test_arrays_of_any_layout(raw):
    raw.flags.writeable = False
    found = CITYSCAPES.encode(raw)
    assert found.shape == raw.shape
    assert found.reshape(-1).tolist() == naive(raw.reshape(-1).tolist(), dict(CITYSCAPES.ids))


def test_a_uint64_does_not_wrap_into_a_negative_id():
    raw = np.array([2**64 - 1, 7], dtype=np.uint64)
    assert CITYSCAPES.encode(raw, unknown="ignore").tolist() == [255, 0]
    only = LabelSet("only", ["plate"], ids={-1: 0})
    with pytest.raises(ValueError, match=r"got 7 \(1 pixel\), 18446744073709551615 \(1 pixel\): pass"):
        only.encode(raw)


@given(
    data=st.data(), chosen=st.sampled_from([CITYSCAPES, VOC, ADE, MINE]), ignored=st.sampled_from([None, 0, -9, 400])
)
def test_decode_is_the_first_raw_id(data, chosen, ignored):
    values = st.sampled_from([*range(chosen.num_classes), *chosen.ignore_index])
    classes = data.draw(st.lists(values, max_size=20))
    void = next(raw for raw, value in chosen.ids.items() if value in chosen.ignore_index)
    expected = []
    for value in classes:
        raws = [raw for raw, known in chosen.ids.items() if known == value]
        if value in chosen.ignore_index:
            raws = [ignored] if ignored is not None else raws or [void]
        expected.append(raws[0])
    found = chosen.decode(torch.tensor(classes, dtype=torch.int64), ignored=ignored)
    assert found.tolist() == expected
    small = chosen is not MINE and ignored in (None, 0)
    assert found.dtype == (torch.uint8 if small else torch.int64)


@pytest.mark.parametrize("name", LabelSet.presets())
def test_decode_then_encode_changes_nothing(name):
    preset = LabelSet.of(name)
    classes = np.array([*range(preset.num_classes), 255], dtype=np.uint8)
    assert np.array_equal(preset.encode(preset.decode(classes)), classes)


def test_an_ignored_value_without_a_raw_id():
    bare = LabelSet("bare", ["a"], ignore_index=9, ids={4: 0})
    with pytest.raises(ValueError, match="mapped to, got 9") as raised:
        bare.decode(torch.tensor([0, 9]))
    assert str(raised.value) == (
        "classes must hold values that a raw id of 'bare' is mapped to, got 9 (1 pixel): "
        "pass ignored=raw_id for ignored values that have none"
    )
    assert bare.decode(torch.tensor([0, 9]), ignored=0).tolist() == [4, 0]


def test_an_ignored_value_without_a_raw_id_takes_the_first_of_another():
    bare = LabelSet("bare", ["a"], ignore_index=(8, 9), ids={4: 0, 5: 8, 6: 8})
    assert bare.decode(torch.tensor([9, 8, 0])).tolist() == [5, 5, 4]


@pytest.mark.parametrize(("ignored", "dtype"), [(255, np.uint8), (256, np.int64), (-1, np.int64)])
def test_the_result_is_as_narrow_as_the_set(ignored, dtype):
    mine = LabelSet("mine", ["a"], ignore_index=ignored)
    assert mine.encode(np.array([0])).dtype == dtype
    assert mine.encode(np.array([ignored])).tolist() == [ignored]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_an_accelerator():
    raw = torch.tensor([7, 26, -1, 33])
    found = CITYSCAPES.encode(raw.cuda())
    assert found.is_cuda
    assert found.tolist() == CITYSCAPES.encode(raw).tolist()
    assert torch.equal(CITYSCAPES.decode(found).cpu(), CITYSCAPES.decode(found.cpu()))
    rgb = CITYSCAPES.colours(found)
    assert rgb.is_cuda
    assert torch.equal(CITYSCAPES.from_palette(rgb), found)
    for dtype in INTEGERS:
        with pytest.raises(ValueError, match=r"got 99 \(2 pixels\): pass"):
            CITYSCAPES.encode(torch.tensor([99, 7, 99], device="cuda").to(dtype))


# ---- colours


@given(data=st.data(), chosen=st.sampled_from([CITYSCAPES, VOC]), shape=shapes, as_array=st.booleans())
def test_colours_are_the_palette(data, chosen, shape, as_array):
    size = torch.Size(shape).numel()
    values = st.sampled_from([*range(chosen.num_classes), 255])
    listed = data.draw(st.lists(values, min_size=size, max_size=size))
    classes = torch.tensor(listed, dtype=torch.uint8).reshape(shape)
    rgb = chosen.colours(classes.numpy() if as_array else classes)
    assert isinstance(rgb, np.ndarray if as_array else torch.Tensor)
    assert np.asarray(rgb).dtype == np.uint8
    assert tuple(rgb.shape) == (*shape, 3)
    expected = [chosen.palette[value] if value < 255 else chosen.ignored_colours[0] for value in listed]
    assert [tuple(colour) for colour in np.asarray(rgb).reshape(-1, 3).tolist()] == expected
    assert np.array_equal(chosen.from_palette(rgb), classes)


def test_every_ignored_colour_is_read():
    rgb = np.array(CITYSCAPES.ignored_colours, dtype=np.uint8)
    assert CITYSCAPES.from_palette(rgb).tolist() == [255] * 10


def test_colours_that_differ_in_one_channel_are_unknown():
    for channel in range(3):
        rgb = torch.tensor(CITYSCAPES.palette, dtype=torch.uint8)
        rgb[:, channel] ^= 1
        assert CITYSCAPES.from_palette(rgb, unknown="ignore").tolist() == [255] * 19


def test_a_class_that_is_ignored_keeps_its_colour():
    mine = LabelSet("mine", ["a", "b"], ignore_index=0, palette=[(1, 1, 1), (2, 2, 2)], ignored_colours=[(0, 0, 0)])
    assert mine.colours(torch.tensor([0, 1])).tolist() == [[1, 1, 1], [2, 2, 2]]
    assert mine.from_palette(torch.tensor([[1, 1, 1], [0, 0, 0]], dtype=torch.uint8)).tolist() == [0, 0]


# ---- made by users


def test_a_set_of_ones_own():
    mine = LabelSet(
        "mine",
        ["road", "car", "bus"],
        ignore_index=255,
        ids={7: 0, 26: "car", 28: 2, 0: 255},
        palette=np.array([[0, 0, 0], [1, 2, 3], [4, 5, 6]], dtype=np.uint8),
        groups={"vehicle": ["bus", 1], "flat": [0]},
    )
    assert mine.class_names == ("road", "car", "bus")
    assert dict(mine.ids) == {7: 0, 26: 1, 28: 2, 0: 255}
    assert mine.palette == ((0, 0, 0), (1, 2, 3), (4, 5, 6))
    assert dict(mine.groups) == {"vehicle": (1, 2), "flat": (0,)}
    assert repr(mine) == "LabelSet('mine', 3 classes, ignore_index=(255,))"


def test_the_least():
    mine = LabelSet("mine", ("a", "b"))
    assert mine.ignore_index == ()
    assert dict(mine.ids) == {0: 0, 1: 1}
    assert mine.palette is None
    assert mine.ignored_colours == ()
    assert dict(mine.groups) == {}
    assert mine.reduce_zero_label is False


def test_several_ignored_values_stay_apart_and_the_first_is_written():
    mine = LabelSet("mine", ["a"], ignore_index=[254, 255, 254])
    assert mine.ignore_index == (254, 255)
    assert mine.encode(torch.tensor([254, 255, 0])).tolist() == [254, 255, 0]
    assert mine.encode(torch.tensor([77]), unknown="ignore").tolist() == [254]


def test_reduced_raw_ids_come_before_ignored_values():
    mine = LabelSet("mine", ["a", "b", "c"], ignore_index=(255, 2), reduce_zero_label=True)
    assert list(mine.ids.items()) == [(0, 255), (1, 0), (2, 1), (3, 2), (255, 255)]


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        VOC.name = "mine"
    with pytest.raises(TypeError):
        VOC.ids[0] = 3
    with pytest.raises(TypeError):
        CITYSCAPES.groups["flat"] = (3,)


def test_what_is_given_is_not_kept():
    ids, groups = {0: 0}, {"g": [0]}
    mine = LabelSet("mine", ["a"], ids=ids, groups=groups)
    ids[5] = 0
    groups["g"].append(7)
    assert dict(mine.ids) == {0: 0}
    assert mine.groups["g"] == (0,)


@pytest.mark.parametrize("name", [*LabelSet.presets(), "mine"])
def test_copies_are_equal(name):
    original = MINE if name == "mine" else LabelSet.of(name)
    for other in (pickle.loads(pickle.dumps(original)), copy.deepcopy(original), dataclasses.replace(original)):
        assert other == original
        assert hash(other) == hash(original)
        assert list(other.ids.items()) == list(original.ids.items())


ARGUMENTS = {
    "name": "other",
    "class_names": ["a", "c"],
    "ignore_index": 254,
    "ids": {0: 0, 1: 1, 2: 1},
    "palette": [(0, 0, 0), (9, 9, 9)],
    "ignored_colours": [(7, 7, 7)],
    "groups": {"g": [1]},
}
BASE = {
    "name": "mine",
    "class_names": ["a", "b"],
    "ignore_index": 255,
    "ids": {0: 0, 1: 1},
    "palette": [(0, 0, 0), (1, 1, 1)],
    "ignored_colours": [(8, 8, 8)],
    "groups": {"g": [0]},
}


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_sets_that_differ_are_not_equal(argument):
    other = LabelSet(**{**BASE, argument: ARGUMENTS[argument]})
    assert other != LabelSet(**BASE)
    assert len({other, LabelSet(**BASE), LabelSet(**BASE)}) == 2
    assert LabelSet(**BASE) != "mine"


def test_the_order_of_ids_counts_for_it_decides_what_decode_writes():
    one, other = (LabelSet("mine", ["a"], ids=ids) for ids in ({3: 0, 5: 0}, {5: 0, 3: 0}))
    assert one != other
    assert (one.decode(torch.tensor([0])).item(), other.decode(torch.tensor([0])).item()) == (3, 5)


# ---- messages

AB = {"name": "mine", "class_names": ["a", "b"]}
BAD_ARGUMENTS = {
    "no name": ({"name": ""}, ValueError, "name must be a text that is not empty, got ''"),
    "one string": ({"class_names": "ab"}, TypeError, "class_names must be a sequence of names, got 'ab'"),
    "a number": ({"class_names": 2}, TypeError, "class_names must be a sequence of names, got 2"),
    "no class": ({"class_names": []}, ValueError, "class_names must hold at least one name, got none"),
    "an empty name": ({"class_names": ["a", ""]}, ValueError, "class_names must be texts that are not empty, got ''"),
    "a name that is a number": (
        {"class_names": [1]},
        ValueError,
        "class_names must be texts that are not empty, got 1",
    ),
    "a name twice": (
        {"class_names": ["a", "b", "a"]},
        ValueError,
        "class_names must be different from each other, got 'a' 2 times",
    ),
    "ignored text": ({"ignore_index": "x"}, TypeError, "ignore_index must be an int, several ints or None, got 'x'"),
    "ignored beyond": (
        {"ignore_index": 2**24},
        ValueError,
        "ignore_index must hold integers of -16777215 to 16777215, got 16777216",
    ),
    "ids as a list": ({"ids": [0, 1]}, TypeError, "ids must map raw ids to classes, got a list"),
    "no ids": ({"ids": {}}, ValueError, "ids must hold at least one raw id, got none"),
    "a raw id that is a float": ({"ids": {0.5: 0}}, TypeError, "ids must hold integers, got 0.5"),
    "a raw id that is a bool": ({"ids": {True: 0}}, TypeError, "ids must hold integers, got True"),
    "a raw id beyond": (
        {"ids": {-(2**24): 0}},
        ValueError,
        "ids must hold integers of -16777215 to 16777215, got -16777216",
    ),
    "an id mapped outside": (
        {"ids": {7: 2}, "ignore_index": (255, 254)},
        ValueError,
        "ids[7] must be a class of 0 to 1, 255, 254, or a class name, got 2",
    ),
    "an id mapped to an unknown name": (
        {"ids": {7: "c"}},
        ValueError,
        "ids[7] must be a class of 0 to 1, or a class name, got 'c'",
    ),
    "an id mapped to None": ({"ids": {7: None}}, TypeError, "ids[7] must hold integers, got None"),
    "a palette by name": ({"palette": "viridis"}, TypeError, "palette must hold colours, got 'viridis'"),
    "a palette of a number": ({"palette": 2}, TypeError, "palette must hold colours, got 2"),
    "a short palette": (
        {"palette": [(0, 0, 0)]},
        ValueError,
        "palette must hold a colour for each of the 2 classes, got 1",
    ),
    "a colour of two": (
        {"palette": [(0, 0), (1, 1, 1)]},
        ValueError,
        "palette must hold colours of red, green and blue, 0 to 255 each, got (0, 0)",
    ),
    "a colour beyond": (
        {"palette": [(0, 0, 256), (1, 1, 1)]},
        ValueError,
        "palette must hold colours of red, green and blue, 0 to 255 each, got (0, 0, 256)",
    ),
    "a colour twice": (
        {"palette": [(1, 1, 1), (1, 1, 1)]},
        ValueError,
        "palette must be different from each other, got (1, 1, 1) 2 times",
    ),
    "a colour of two meanings": (
        {"palette": [(0, 0, 0), (1, 1, 1)], "ignored_colours": [(1, 1, 1)], "ignore_index": 9},
        ValueError,
        "palette and ignored_colours must be different from each other, got (1, 1, 1) 2 times",
    ),
    "ignored colours alone": (
        {"ignored_colours": [(1, 1, 1)], "ignore_index": 9},
        ValueError,
        "ignored_colours need a palette and an ignore_index: pass both, or leave them out",
    ),
    "ignored colours and none ignored": (
        {"palette": [(0, 0, 0), (1, 1, 1)], "ignored_colours": [(2, 2, 2)]},
        ValueError,
        "ignored_colours need a palette and an ignore_index: pass both, or leave them out",
    ),
    "groups as a list": ({"groups": ["a"]}, TypeError, "groups must map names to classes, got a list"),
    "a group without a name": (
        {"groups": {0: [1]}},
        ValueError,
        "groups must have names that are not empty, got 0",
    ),
    "a group of one string": (
        {"groups": {"g": "ab"}},
        TypeError,
        "groups['g'] must hold several classes, ids or names, got 'ab'",
    ),
    "a group of a number": (
        {"groups": {"g": 1}},
        TypeError,
        "groups['g'] must hold several classes, ids or names, got 1",
    ),
    "an empty group": ({"groups": {"g": []}}, ValueError, "groups must hold a class each, got none in 'g'"),
    "a group of an unknown id": (
        {"groups": {"g": [0, -1]}},
        ValueError,
        "groups['g'] must be a class of 0 to 1, or a class name, got -1",
    ),
    "a group of an unknown name": (
        {"groups": {"g": ["a", "x"]}},
        ValueError,
        "groups['g'] must be a class of 0 to 1, or a class name, got 'x'",
    ),
    "zero reduced and none ignored": (
        {"reduce_zero_label": True},
        ValueError,
        "reduce_zero_label needs an ignored value that is no class id for the raw id 0: pass ignore_index=255, got ()",
    ),
    "zero reduced to a class": (
        {"reduce_zero_label": True, "ignore_index": 1},
        ValueError,
        "reduce_zero_label needs an ignored value that is no class id for the raw id 0: pass ignore_index=255, got (1,)",
    ),
    "zero reduced and other ids": (
        {"reduce_zero_label": True, "ignore_index": 255, "ids": {0: 0}},
        ValueError,
        "reduce_zero_label=True says what the raw ids are: leave ids out",
    ),
    "reduced by a number": (
        {"reduce_zero_label": 1, "ignore_index": 255},
        TypeError,
        "reduce_zero_label must be True or False, got 1",
    ),
}


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_bad_arguments(case):
    arguments, error, message = BAD_ARGUMENTS[case]
    with pytest.raises(error) as raised:
        LabelSet(**{**AB, **arguments})
    assert str(raised.value) == message


OURS = LabelSet("ours", ["a", "b"])
BAD_CALLS = {
    "encode: unknown ids": (
        lambda: CITYSCAPES.encode(torch.tensor([[99, 7, 99, 34]])),
        ValueError,
        "raw must hold ids of 'cityscapes', got 99 (2 pixels), 34 (1 pixel): pass unknown='ignore' to ignore them, or "
        "leave encode out if these are class ids already",
    ),
    "encode: many unknown ids": (
        lambda: CITYSCAPES.encode(np.arange(34, 41)),
        ValueError,
        "raw must hold ids of 'cityscapes', got 34 (1 pixel), 35 (1 pixel), 36 (1 pixel), 37 (1 pixel), 38 (1 pixel) and 2 "
        "other values: pass unknown='ignore' to ignore them, or leave encode out if these are class ids already",
    ),
    "encode: many pixels": (
        lambda: CITYSCAPES.encode(np.full(1234, 40)),
        ValueError,
        "raw must hold ids of 'cityscapes', got 40 (1,234 pixels): pass unknown='ignore' to ignore them, or "
        "leave encode out if these are class ids already",
    ),
    "encode: an unknown rule": (
        lambda: VOC.encode(np.array([0]), unknown="void"),
        ValueError,
        "unknown must be 'error' or 'ignore', got 'void'",
    ),
    "encode: nothing to ignore to": (
        lambda: OURS.encode(np.array([0]), unknown="ignore"),
        ValueError,
        "unknown='ignore' needs an ignored value: make 'ours' with an ignore_index",
    ),
    "encode: floats": (
        lambda: VOC.encode(torch.zeros(2)),
        ValueError,
        "raw must be of an integer dtype or bool, got torch.float32",
    ),
    "encode: complex numbers": (
        lambda: VOC.encode(torch.zeros(2, dtype=torch.complex64)),
        ValueError,
        "raw must be of an integer dtype or bool, got torch.complex64",
    ),
    "encode: an array of floats": (
        lambda: VOC.encode(np.zeros(2)),
        ValueError,
        "raw must be of an integer dtype or bool, got float64",
    ),
    "encode: a list": (
        lambda: VOC.encode([0, 1]),
        TypeError,
        "raw must be a tensor or a numpy array, got a list",
    ),
    "encode: a masked array": (
        lambda: VOC.encode(np.ma.masked_equal([0, 1], 1)),
        TypeError,
        "raw must not be a masked array: pass raw.filled(value)",
    ),
    "decode: no class": (
        lambda: CITYSCAPES.decode(np.array([19, 0])),
        ValueError,
        "classes must hold values that a raw id of 'cityscapes' is mapped to, got 19 (1 pixel): "
        "pass ignored=raw_id for ignored values that have none",
    ),
    "decode: ignored text": (
        lambda: CITYSCAPES.decode(np.array([0]), ignored="0"),
        TypeError,
        "ignored must hold integers, got '0'",
    ),
    "colours: no class": (
        lambda: VOC.colours(torch.tensor([21])),
        ValueError,
        "classes must hold values that 'pascal_voc' has colours for, got 21 (1 pixel): "
        "give the set ignored_colours for ignored values",
    ),
    "colours: no colour of ignored pixels": (
        lambda: LabelSet("m", ["a"], ignore_index=9, palette=[(0, 0, 0)]).colours(torch.tensor([9])),
        ValueError,
        "classes must hold values that 'm' has colours for, got 9 (1 pixel): "
        "give the set ignored_colours for ignored values",
    ),
    "colours: no palette": (
        lambda: ADE.colours(torch.tensor([0])),
        ValueError,
        "'ade20k' has no colours: make the set with a palette",
    ),
    "from_palette: no palette": (
        lambda: ADE.from_palette(torch.zeros(1, 3, dtype=torch.uint8)),
        ValueError,
        "'ade20k' has no colours: make the set with a palette",
    ),
    "from_palette: unknown colours": (
        lambda: VOC.from_palette(np.array([[0, 0, 0], [1, 2, 3], [1, 2, 3]], dtype=np.uint8)),
        ValueError,
        "rgb must hold colours of 'pascal_voc', got (1, 2, 3) (2 pixels): pass unknown='ignore' to ignore them",
    ),
    "from_palette: another dtype": (
        lambda: VOC.from_palette(torch.zeros(4, 3, dtype=torch.int64)),
        ValueError,
        "rgb must be uint8 with red, green and blue on the last axis, (..., 3), got torch.int64 of shape (4, 3)",
    ),
    "from_palette: channels first": (
        lambda: VOC.from_palette(torch.zeros(3, 4, 4, dtype=torch.uint8)),
        ValueError,
        "rgb must be uint8 with red, green and blue on the last axis, (..., 3), got torch.uint8 of shape (3, 4, 4)",
    ),
}


@pytest.mark.parametrize("case", BAD_CALLS)
def test_bad_calls(case):
    call, error, message = BAD_CALLS[case]
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message


def test_a_raw_id_for_ignored_values_comes_before_those_that_they_have():
    labels = LabelSet("ours", ["a", "b"], ignore_index=255, ids={3: "a", 4: "b", 9: 255})
    classes = torch.tensor([0, 255, 1])
    assert labels.decode(classes).tolist() == [3, 9, 4]
    assert labels.decode(classes, ignored=7).tolist() == [3, 7, 4]
