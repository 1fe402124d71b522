"""Data sets' classes: names, raw ids, colours and groups, and the mapping of label maps from and to them."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import torch

from segiou.labels import checks, presets
from segiou.labels.checks import Colour
from segiou.labels.tables import Labels, as_tensor, like, look_up, narrow, packed, unpacked

Unknown = Literal["error", "ignore"]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class LabelSet:
    """The classes of a data set, by name, and what its label files hold.

    Three kinds of values are told apart. A class id is 0 to C - 1. An ignored value is one of
    ``ignore_index``. A raw id is what the files of the data set hold: ``encode`` maps raw ids to class
    ids and ignored values, ``decode`` maps them back.

    Args:
        name: of the data set.
        class_names: C different names; their order gives the class ids.
        ignore_index: the ignored values, one or several; the first is the one that ``encode`` writes.
        ids: the class (id or name) or ignored value of each raw id. Where None, class ids and ignored
            values stand for themselves, or are as ``reduce_zero_label`` says.
        palette: C different colours, ``(C, 3)`` of 0 to 255: red, green, blue.
        ignored_colours: further colours, all of ignored pixels; the first is the one that ``colours`` draws.
        groups: classes that belong together, ids or names, by the group's name.
        reduce_zero_label: raw id 0 is ignored, raw id k is class k - 1.
        instance_sizes: average pixels of an instance, by id or name of the classes that have instances.

    Attributes:
        num_classes: C.
        ids: a read-only mapping of raw ids to class ids and ignored values.
        groups: a read-only mapping of names to tuples of class ids.

    Raises:
        ValueError: arguments that do not fit together, or are out of range.
        TypeError: an argument of another type.

    >>> import torch
    >>> from segiou import LabelSet
    >>> mine = LabelSet("mine", ["road", "car"], ignore_index=255, ids={7: "road", 26: "car", 0: 255, -1: 255})
    >>> mine.encode(torch.tensor([[7, 26], [0, -1]]))
    tensor([[  0,   1],
            [255, 255]], dtype=torch.uint8)
    >>> LabelSet.of("cityscapes")
    LabelSet('cityscapes', 19 classes, ignore_index=(255,))
    """

    name: str
    class_names: tuple[str, ...]
    ignore_index: tuple[int, ...]
    ids: Mapping[int, int]
    palette: tuple[Colour, ...] | None
    ignored_colours: tuple[Colour, ...]
    groups: Mapping[str, tuple[int, ...]]
    reduce_zero_label: bool
    instance_sizes: Mapping[int, float]

    def __init__(
        self,
        name: str,
        class_names: Sequence[str],
        *,
        ignore_index: int | Iterable[int] | None = None,
        ids: Mapping[int, int | str] | None = None,
        palette: Iterable[Sequence[int]] | None = None,
        ignored_colours: Iterable[Sequence[int]] = (),
        groups: Mapping[str, Iterable[int | str]] | None = None,
        reduce_zero_label: bool = False,
        instance_sizes: Mapping[int | str, float] | None = None,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError(f"name must be a text that is not empty, got {name!r}")
        names = checks.names_of(class_names)
        ignored = checks.ignored_of(ignore_index)
        found = checks.ids_of(ids, names, ignored, reduce_zero_label)
        colours = None if palette is None else checks.colours_of("palette", palette)
        more = checks.colours_of("ignored_colours", ignored_colours)
        checks.require_one_meaning(colours, more, names, ignored)
        members = checks.groups_of({} if groups is None else groups, names)
        vars(self).update(  # setting an attribute of a frozen class is an error
            name=name,
            class_names=names,
            ignore_index=ignored,
            ids=MappingProxyType(found),
            palette=colours,
            ignored_colours=more,
            groups=MappingProxyType(members),
            reduce_zero_label=reduce_zero_label,
            instance_sizes=MappingProxyType(checks.sizes_of("instance_sizes", instance_sizes or {}, names)),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LabelSet) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._parts)

    def __reduce__(self) -> tuple[Any, ...]:
        plain: dict[str, Any] = {name: dict(v) if isinstance(v, Mapping) else v for name, v in vars(self).items()}
        return functools.partial(type(self), **plain), ()

    def __repr__(self) -> str:
        return f"LabelSet({self.name!r}, {self.num_classes} classes, ignore_index={self.ignore_index})"

    @property
    def _parts(self) -> tuple[Any, ...]:
        """All that the set says; the order of ids and groups says something too."""
        return tuple(tuple(v.items()) if isinstance(v, Mapping) else v for v in vars(self).values())

    @property
    def num_classes(self) -> int:
        """C, the number of classes."""
        return len(self.class_names)

    @staticmethod
    def of(value: "LabelSet | str") -> "LabelSet":
        """The label set, or the preset of this name; capitals and separators do not matter.

        The presets, with the sources of their facts; all ignore 255:

        - ``cityscapes``: 19 classes, 35 raw label ids, the categories as groups (cityscapesScripts,
          ``helpers/labels.py``). Colour files draw pole groups and licence plates as poles and cars.
        - ``pascal_voc``: 21 classes with the background (mmsegmentation, ``mmseg/datasets/voc.py``),
          colours by the bits of the id (VOC development kit, ``VOClabelcolormap.m``).
        - ``ade20k``: 150 classes, raw id 0 is ignored (mmsegmentation, ``mmseg/datasets/ade.py``).
        - ``coco_stuff``: 171 classes, ids as in the files ``*_labelTrainIds.png`` of the 164k images
          (mmsegmentation, ``mmseg/datasets/coco_stuff.py``).
        - ``pascal_context``: 59 classes, raw id 0 is ignored; ``pascal_context_60``: the same after the
          background (mmsegmentation, ``mmseg/datasets/pascal_context.py``).

        Raises:
            ValueError: no preset has this name.
            TypeError: a value of another type.

        >>> LabelSet.of("Pascal VOC").class_names[:3]
        ('background', 'aeroplane', 'bicycle')
        """
        if isinstance(value, LabelSet):
            return value
        if not isinstance(value, str):
            raise TypeError(f"the label set must be a LabelSet or the name of a preset, got {value!r}")
        return _preset(presets.named(value))

    @staticmethod
    def presets() -> tuple[str, ...]:
        """The names of the presets.

        >>> LabelSet.presets()
        ('cityscapes', 'pascal_voc', 'ade20k', 'coco_stuff', 'pascal_context', 'pascal_context_60')
        """
        return tuple(presets.facts())

    def encode(self, raw: Labels, *, unknown: Unknown = "error") -> Labels:
        """Class ids and ignored values of raw ids, in new memory.

        Args:
            raw: raw ids, a tensor or an array of any integer dtype and shape.
            unknown: whether raw ids that the set does not have are an "error", or are to "ignore".

        Returns:
            A tensor on raw's device, or an array, as ``raw`` is; of its shape, uint8 where all class ids
            and ignored values of the set fit, else int64.

        Raises:
            ValueError: raw ids that the set does not have; on an accelerator too, which is waited for.
            TypeError: ``raw`` is no tensor or array.

        >>> import numpy as np
        >>> LabelSet.of("ade20k").encode(np.array([0, 1, 150]))
        array([255,   0, 149], dtype=uint8)
        """
        remedy = "pass unknown='ignore' to ignore them, or leave encode out if these are class ids already"
        rule = f"raw must hold ids of {self.name!r}"
        found = look_up(as_tensor("raw", raw), self.ids, self._dtype, self._otherwise(unknown), rule, remedy)
        return like(raw, found)

    def decode(self, classes: Labels, *, ignored: int | None = None) -> Labels:
        """Raw ids of class ids and ignored values, in new memory.

        Args:
            classes: class ids and ignored values, a tensor or an array of any integer dtype and shape.
            ignored: the raw id of ignored pixels; the first in ``ids`` where None. Where several raw ids
                are one class, the first in ``ids`` is the one that is written.

        Returns:
            A tensor on the device of ``classes``, or an array, as ``classes`` is; of its shape, uint8
            where all that can be written fits, else int64.

        Raises:
            ValueError: values that no raw id is mapped to.
            TypeError: ``classes`` is no tensor or array.

        >>> LabelSet.of("cityscapes").decode(torch.tensor([0, 18, 255]))
        tensor([ 7, 33,  0], dtype=torch.uint8)
        """
        first = {value: raw for raw, value in reversed(list(self.ids.items()))}
        voids = [raw for raw, value in self.ids.items() if value in self.ignore_index]
        voids = voids if ignored is None else [checks.key("ignored", ignored)]
        void = dict.fromkeys(self.ignore_index, voids[0]) if voids else {}
        table = {**void, **first} if ignored is None else {**first, **void}
        rule = f"classes must hold values that a raw id of {self.name!r} is mapped to"
        remedy = "pass ignored=raw_id for ignored values that have none"
        return like(classes, look_up(as_tensor("classes", classes), table, narrow(table.values()), None, rule, remedy))

    def from_palette(self, rgb: Labels, *, unknown: Unknown = "error") -> Labels:
        """Class ids and ignored values of colours.

        Args:
            rgb: red, green and blue on the last axis, ``(..., 3)``; a tensor or an array of uint8.
            unknown: whether colours that the set does not have are an "error", or are to "ignore".

        Returns:
            A tensor on rgb's device, or an array, as ``rgb`` is; of shape ``(...)``, uint8 where all class
            ids and ignored values of the set fit, else int64.

        Raises:
            ValueError: colours that the set does not have, a set without colours, or another shape or dtype.
            TypeError: ``rgb`` is no tensor or array.

        >>> import numpy as np
        >>> LabelSet.of("pascal_voc").from_palette(np.array([[128, 0, 0], [224, 224, 192]], dtype=np.uint8))
        array([  1, 255], dtype=uint8)
        """
        colours = as_tensor("rgb", rgb)
        if colours.dtype != torch.uint8 or colours.shape[-1:] != (3,):
            raise ValueError(
                "rgb must be uint8 with red, green and blue on the last axis, (..., 3), "
                f"got {colours.dtype} of shape {tuple(colours.shape)}"
            )
        table = {packed(*colour): self.ignore_index[0] for colour in self.ignored_colours}
        table |= {packed(*colour): number for number, colour in enumerate(self._required_palette)}
        rule = f"rgb must hold colours of {self.name!r}"
        remedy = "pass unknown='ignore' to ignore them"
        numbers = packed(*colours.int().unbind(-1))
        otherwise = self._otherwise(unknown)
        return like(rgb, look_up(numbers, table, self._dtype, otherwise, rule, remedy, lambda n: str(unpacked(n))))

    def colours(self, classes: Labels) -> Labels:
        """Colours of class ids and ignored values: uint8 ``(..., 3)``, red, green and blue.

        Args:
            classes: class ids and ignored values, a tensor or an array of any integer dtype and shape.

        Raises:
            ValueError: values that have no colour, or a set without a palette.
            TypeError: ``classes`` is no tensor or array.

        >>> LabelSet.of("cityscapes").colours(torch.tensor([0, 255]))
        tensor([[128,  64, 128],
                [  0,   0,   0]], dtype=torch.uint8)
        """
        palette = [*self._required_palette, *self.ignored_colours[:1]]
        void = dict.fromkeys(self.ignore_index, self.num_classes) if self.ignored_colours else {}
        table = {**void, **{number: number for number in range(self.num_classes)}}
        rule = f"classes must hold values that {self.name!r} has colours for"
        remedy = "give the set ignored_colours for ignored values"
        rows = look_up(as_tensor("classes", classes), table, torch.int64, None, rule, remedy)
        return like(classes, torch.tensor(palette, dtype=torch.uint8, device=rows.device)[rows])

    def _otherwise(self, unknown: Unknown) -> int | None:
        """What becomes of values that the set does not have; None makes them an error."""
        if unknown not in ("error", "ignore"):
            raise ValueError(f"unknown must be 'error' or 'ignore', got {unknown!r}")
        if unknown == "ignore" and not self.ignore_index:
            raise ValueError(f"unknown='ignore' needs an ignored value: make {self.name!r} with an ignore_index")
        return self.ignore_index[0] if unknown == "ignore" else None

    @property
    def _dtype(self) -> torch.dtype:
        """The dtype of class ids and ignored values."""
        return narrow([self.num_classes - 1, *self.ignore_index])

    @property
    def _required_palette(self) -> tuple[Colour, ...]:
        if self.palette is None:
            raise ValueError(f"{self.name!r} has no colours: make the set with a palette")
        return self.palette


@functools.cache
def _preset(name: str) -> LabelSet:
    return LabelSet(name, **presets.arguments(name))
