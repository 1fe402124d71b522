"""How the photo of a batch is brought back to red, green and blue."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from segiou.argument_checks import integers
from segiou.lightning.photo_layout import channels_first, middle_slice

LOOKED_AT = 3 * 2**10  # values of each photo, from which its range is estimated


@dataclass(frozen=True)
class Photo:
    """How photos are brought back to 8 bits of red, green and blue.

    Without ``mean`` and ``std`` fractions from 0 to 1 are shown as they are, and each other photo is stretched between
    the second and the 98th percentile of its values. A lowest or highest value that fills much of the photo and lies
    far outside of the others, as -9999 for missing data does, does not count for these. Zeros around a scan do not
    either where the others would be left without contrast.

    Args:
        bands: three channels of the batch's images, or one for grey; None takes the first three, or the first.
        mean: what was subtracted of each channel, in the order of ``bands``, or of all.
        std: what each channel was divided by, or all. Where a value of ``mean`` or ``std`` is above 1 the pixels are
            from 0 to 255, and where one is above 255 each photo is stretched. Images of uint8 are shown as they are.

    Raises:
        ValueError: values that do not fit each other, or that no channel can have.
        TypeError: an argument of another type.
    """

    bands: tuple[int, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        bands = None if self.bands is None else _bands(self.bands)
        mean = None if self.mean is None else _numbers("mean", self.mean)
        std = None if self.std is None else _numbers("std", self.std)
        if std is not None and min(std) <= 0:
            raise ValueError(f"std must be what each channel was divided by, above 0, got {self.std!r}")
        if (mean is None) != (std is None):
            raise ValueError(
                f"mean and std go together, got mean={self.mean!r} and std={self.std!r}: pass both, or std=1.0 or "
                "mean=0.0 for the one that was not used"
            )
        allowed = (1, 3) if bands is None else sorted({1, len(bands)})
        for name, values in (("mean", mean), ("std", std)):
            if values is not None and len(values) not in allowed:
                raise ValueError(
                    f"{name} must be one value for all channels or one for each channel that is shown, "
                    f"{' or '.join(map(str, allowed))} values, got {len(values)}: {getattr(self, name)!r}"
                )
        for name, value in (("bands", bands), ("mean", mean), ("std", std)):
            object.__setattr__(self, name, value)

    def of_maps(self, photos: Tensor, size: Sequence[int], pixels: tuple[int, int]) -> Tensor:
        """Photos of label maps as uint8 ``(n, 3, rows, columns)``, of volumes their middle slice.

        Args:
            photos: as ``channels_first`` takes them.
            size: the spatial axes of the label maps.
            pixels: the rows and columns to give back.

        Raises:
            ValueError: photos that do not fit.
        """
        rgb = self.shown(middle_slice(channels_first(photos, size), size))
        if rgb.shape[2:] == tuple(pixels):
            return rgb
        return interpolate(rgb.float(), pixels, mode="area").round().to(torch.uint8)

    def shown(self, images: Tensor) -> Tensor:
        """Images ``(n, channels, h, w)`` as uint8 ``(n, 3, h, w)``. Raises ValueError for too few channels."""
        bands = self.bands or ((0, 1, 2) if images.shape[1] >= 3 else (0,))
        if images.is_complex() or images.shape[1] <= max(bands) or not images[0].numel():
            raise ValueError(
                f"images must be of real numbers and have {max(bands) + 1} or more channels, got {images.dtype} of "
                f"shape {tuple(images.shape)}"
            )
        chosen = torch.stack([images[:, band] for band in bands], 1).float()
        if images.dtype == torch.uint8:  # nothing was subtracted yet
            chosen = chosen / 255
        elif self.mean is not None and self.std is not None:
            if max(len(self.mean), len(self.std)) > len(bands):
                raise ValueError(f"mean and std are of 3 channels, got images of shape {tuple(images.shape)}")
            mean, std = (chosen.new_tensor(values).view(1, -1, 1, 1) for values in (self.mean, self.std))
            chosen, most = chosen * std + mean, max(*self.mean, *self.std)
            chosen = chosen / (255 if most > 1 else 1) if most <= 255 else _stretched(chosen)
        else:
            chosen = _stretched(chosen)
        return (chosen.nan_to_num(0, 1, 0).clamp_(0, 1) * 255).round_().to(torch.uint8).expand(-1, 3, -1, -1)


def _stretched(images: Tensor) -> Tensor:
    """Images ``(n, channels, h, w)``, each with its own range from 0 to 1."""
    low, high = (each.view(-1, 1, 1, 1) for each in _range_of(images.flatten(1)))
    plain, flat = (low >= 0) & (high <= 1), ~(low < high)
    scale = torch.where(plain, 1, torch.where(flat, 0, 1 / (high - low)))
    return images * scale + torch.where(plain, 0, torch.where(flat, 0.5, -low * scale))


def _range_of(values: Tensor) -> tuple[Tensor, Tensor]:
    """What is black and what is white in each row, ``(n, 1)``."""
    step = -(-values.shape[1] // LOOKED_AT) | 1  # odd, so that columns take turns
    few = values[:, ::step]
    finite = few.isfinite()
    ordered, number = few.masked_fill(~finite, torch.inf).sort(1).values, finite.sum(1, keepdim=True)
    least, most = _ends(few)
    below = (few == least).sum(1, keepdim=True)
    inside = number - below - (few == most).sum(1, keepdim=True)  # how many lie between the least and the most
    low, high = (_ranked(ordered, below, inside, share) for share in (0.02, 0.98))
    inner = _ranked(ordered, below, inside, 0), _ranked(ordered, below, inside, 1)
    for ends in (inner, (least, most), values):
        flat = ~(low < high)  # nan where there are no values
        if flat.is_cuda or flat.any():  # a GPU is not waited for
            lowest, highest = _ends(ends) if isinstance(ends, Tensor) else ends
            low, high = torch.where(flat, lowest, low), torch.where(flat, highest, high)
    low_of_all, high_of_all = (_ranked(ordered, torch.zeros_like(number), number, share) for share in (0.02, 0.98))
    width = high - low
    return (
        torch.where(low_of_all >= low - width, low.minimum(low_of_all), low),
        torch.where(high_of_all <= high + width, high.maximum(high_of_all), high),
    )


def _ranked(ordered: Tensor, start: Tensor, number: Tensor, share: float) -> Tensor:
    """The value of each row, ``(n, 1)``, below which a share of ``number`` sorted values from ``start`` on lies."""
    places = start + (share * (number - 1)).round().long()
    found = ordered.gather(1, places.clamp(0, ordered.shape[1] - 1))
    return found.masked_fill(number < 1, torch.nan)


def _ends(values: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the most of the finite values of each row, ``(n, 1)``; infinite where there are none."""
    inside = values.isfinite()
    least = values.masked_fill(~inside, torch.inf).amin(1, keepdim=True)
    return least, values.masked_fill(~inside, -torch.inf).amax(1, keepdim=True)


def _numbers(name: str, values: Any) -> tuple[float, ...]:
    """A number, several or an array of them, as a tuple."""
    one = isinstance(values, Real) or getattr(values, "ndim", 1) == 0
    try:
        if isinstance(values, str | bytes | Mapping | Set):  # their parts are no numbers, or have no order
            raise TypeError
        items = [item.item() if getattr(item, "ndim", 1) == 0 else item for item in ([values] if one else values)]
        if not items or any(isinstance(item, bool) or not isinstance(item, Real) for item in items):
            raise TypeError
    except TypeError:
        raise TypeError(f"{name} must be a number, or a list of one for each channel, got {values!r}") from None
    found = tuple(float(item) for item in items)
    if not all(map(isfinite, found)):
        raise ValueError(f"{name} must hold finite numbers, got {values!r}")
    return found


def _bands(bands: Any) -> tuple[int, ...]:
    """The channels that are shown: one or three; one of them may be shown in several colours."""
    if isinstance(bands, Mapping | Set):
        raise TypeError(f"bands must be a list of channels, in the order red, green and blue, got {bands!r}")
    found = integers("bands", bands)
    if len(found) not in (1, 3) or min(found) < 0:
        raise ValueError(f"bands must be one channel or three, from 0 on, got {bands!r}")
    return found
