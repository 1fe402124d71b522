"""Where channels, rows and columns of photos are, told by the label maps that they belong to."""

from collections.abc import Sequence
from itertools import combinations

from torch import Tensor


def channels_first(photos: Tensor, size: Sequence[int]) -> Tensor:
    """Photos with their channels on axis 1.

    Args:
        photos: ``(n, channels, h, w)``, ``(n, h, w, channels)`` or grey ``(n, h, w)``; of volumes with three spatial
            axes. Channels are last where the spatial axes fit the label maps only so.
        size: the spatial axes of the label maps, ``(H, W)`` or ``(D, H, W)``.

    Raises:
        ValueError: another number of axes, or photos without channels that do not fit the label maps.
    """
    shape, axes = tuple(photos.shape[1:]), len(size)
    if len(shape) == axes and _same_form(shape, size):
        return photos.unsqueeze(1)
    if len(shape) != axes + 1:
        raise ValueError(
            f"photos of label maps of {tuple(size)} must be (n, channels, ...), (n, ..., channels), or grey (n, ...) "
            f"of the same proportions, with {axes} spatial axes, got shape {tuple(photos.shape)}"
        )
    first, last = shape[1:], shape[:-1]
    wanted = tuple(size)
    is_last = last == wanted or (not _same_form(first, wanted) and _same_form(last, wanted))
    return photos.movedim(-1, 1) if is_last and first != wanted else photos


def _same_form(shape: Sequence[int], size: Sequence[int]) -> bool:
    """Whether two sizes have the same proportions, up to the rounding of one of them to whole pixels."""
    return all(
        abs(shape[i] * size[j] - shape[j] * size[i]) <= max(shape[i] + shape[j], size[i] + size[j]) / 2
        for i, j in combinations(range(len(size)), 2)
    )


def middle_slice(values: Tensor, size: Sequence[int]) -> Tensor:
    """Of volumes ``(..., d, h, w)`` the middle slice across the shortest axis of ``size``; of images all."""
    if len(size) == 2:
        return values
    axis = list(size).index(min(size)) - len(size)
    return values.select(axis, values.shape[axis] // 2)
