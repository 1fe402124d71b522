"""Data sets' classes: names, raw ids, colours and groups, and the mapping of label maps from and to them."""

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from segiou.labels import checks, label_files, presets
from segiou.labels.checks import Colour
from segiou.labels.label_maps import LabelMaps


@dataclass(frozen=True, init=False, eq=False, repr=False)
class LabelSet(LabelMaps):
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
        names: the same as ``class_names``.
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

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes: the same as ``class_names``."""
        return self.class_names

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "LabelSet":
        """The label set of a file: JSON, or YAML where PyYAML is installed.

        A file holds the arguments of ``LabelSet`` as fields, and the shell takes it as ``--labels my.json``.
        ``class_names`` alone is needed; ``name`` is that of the file where it is left out. The keys of ``ids`` are
        raw ids, the values class ids, class names or ignored values. ``segiou labels cityscapes --json`` prints one
        to start from.

        Raises:
            ValueError: fields that are unknown, missing, given twice or wrong; the error names file and field.
            OSError: a file that cannot be read.

        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "mine.json")
        ...     _ = file.write_text('{"class_names": ["road", "car"], "ids": {"0": "road", "255": "car"}}')
        ...     LabelSet.load(file).ids
        mappingproxy({0: 0, 255: 1})
        """
        try:
            return cls(**label_files.read_fields(Path(path)))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file that ``load`` reads: JSON, or YAML where the path ends with .yaml or .yml.

        Raises:
            ValueError: a path of another suffix, or YAML without PyYAML.
            OSError: a file that cannot be written.
        """
        text = label_files.writer_of(Path(path))(self._fields())
        Path(path).write_text(text, "utf-8")

    def to_json(self) -> str:
        """The text that ``save`` writes as JSON."""
        return label_files.as_json(self._fields())

    def _fields(self) -> dict[str, Any]:
        """The arguments that make this set, classes by name; those that say nothing are left out."""
        implied = checks.ids_of(None, self.class_names, self.ignore_index, self.reduce_zero_label)
        ids = {raw: value if value in self.ignore_index else self.names[value] for raw, value in self.ids.items()}
        fields: dict[str, Any] = {
            "name": self.name,
            "class_names": [*self.class_names],
            "ignore_index": [*self.ignore_index],
            "ids": {} if list(self.ids.items()) == list(implied.items()) else ids,
            "palette": [list(colour) for colour in self.palette or ()],
            "ignored_colours": [list(colour) for colour in self.ignored_colours],
            "groups": {name: [self.names[place] for place in members] for name, members in self.groups.items()},
            "reduce_zero_label": self.reduce_zero_label,
            "instance_sizes": {self.names[place]: size for place, size in self.instance_sizes.items()},
        }
        return {field: value for field, value in fields.items() if value}

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
        if label_files.is_label_file(value):
            raise ValueError(f"the label set must be a LabelSet or the name of a preset: pass LabelSet.load({value!r})")
        return _preset(presets.named(value))

    @staticmethod
    def presets() -> tuple[str, ...]:
        """The names of the presets.

        >>> LabelSet.presets()
        ('cityscapes', 'pascal_voc', 'ade20k', 'coco_stuff', 'pascal_context', 'pascal_context_60')
        """
        return tuple(presets.facts())


@functools.cache
def _preset(name: str) -> LabelSet:
    return LabelSet(name, **presets.arguments(name))
