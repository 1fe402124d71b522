"""The mapping of label maps from raw ids and colours to class ids, and back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from segiou.labels import checks
from segiou.labels.checks import Colour, Labels

if TYPE_CHECKING:
    import torch

Unknown = Literal["error", "ignore"]


class LabelMaps:
    """What a ``LabelSet`` does with label maps. torch is loaded with the first map, and not with the set."""

    name: str
    class_names: tuple[str, ...]
    ignore_index: tuple[int, ...]
    ids: Mapping[int, int]
    palette: tuple[Colour, ...] | None
    ignored_colours: tuple[Colour, ...]

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
        >>> from segiou import LabelSet
        >>> LabelSet.of("ade20k").encode(np.array([0, 1, 150]))
        array([255,   0, 149], dtype=uint8)
        """
        from segiou.labels.lookup_tables import as_tensor, like, look_up

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

        >>> import torch
        >>> from segiou import LabelSet
        >>> LabelSet.of("cityscapes").decode(torch.tensor([0, 18, 255]))
        tensor([ 7, 33,  0], dtype=torch.uint8)
        """
        from segiou.labels.lookup_tables import as_tensor, like, look_up, narrow

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
        >>> from segiou import LabelSet
        >>> LabelSet.of("pascal_voc").from_palette(np.array([[128, 0, 0], [224, 224, 192]], dtype=np.uint8))
        array([  1, 255], dtype=uint8)
        """
        import torch

        from segiou.labels.lookup_tables import as_tensor, like, look_up, packed, unpacked

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

        >>> import torch
        >>> from segiou import LabelSet
        >>> LabelSet.of("cityscapes").colours(torch.tensor([0, 255]))
        tensor([[128,  64, 128],
                [  0,   0,   0]], dtype=torch.uint8)
        """
        import torch

        from segiou.labels.lookup_tables import as_tensor, like, look_up

        palette = [*self._required_palette, *self.ignored_colours[:1]]
        void = dict.fromkeys(self.ignore_index, len(self.class_names)) if self.ignored_colours else {}
        table = {**void, **{number: number for number in range(len(self.class_names))}}
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
    def _dtype(self) -> "torch.dtype":
        """The dtype of class ids and ignored values."""
        from segiou.labels.lookup_tables import narrow

        return narrow([len(self.class_names) - 1, *self.ignore_index])

    @property
    def _required_palette(self) -> tuple[Colour, ...]:
        if self.palette is None:
            raise ValueError(f"{self.name!r} has no colours: make the set with a palette")
        return self.palette
