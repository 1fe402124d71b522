"""Hypothesis strategies: label maps and scores of any dtype, shape and strides."""

from collections.abc import Iterable

import torch
from hypothesis import strategies as st

INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32, torch.uint64]
FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]

shapes = st.lists(st.integers(0, 5), min_size=0, max_size=3).flatmap(
    lambda spatial: st.integers(0, 4).map(lambda items: (items, *spatial))
)


def strided(draw: st.DrawFn, x: torch.Tensor) -> torch.Tensor:
    """The same values in another memory layout."""
    layout = draw(st.sampled_from(["as is", "transposed", "cropped", "reversed axes"]))
    if layout == "transposed" and x.ndim > 1:
        return x.transpose(0, -1).contiguous().transpose(0, -1)
    if layout == "reversed axes":
        order = tuple(reversed(range(x.ndim)))
        return x.permute(order).contiguous().permute(order)
    if layout == "cropped":
        wide = torch.zeros((*x.shape[:-1], x.shape[-1] + 3), dtype=x.dtype)
        wide[..., 2 : x.shape[-1] + 2] = x
        return wide[..., 2 : x.shape[-1] + 2]
    return x


@st.composite
def labels(draw: st.DrawFn, shape: tuple[int, ...], classes: int, *, dtypes=None, wild: bool = False) -> torch.Tensor:
    """Integer labels of a shape: classes, and with ``wild`` whatever the dtype holds."""
    dtype = draw(st.sampled_from(dtypes or [*INTEGERS, torch.bool]))
    low, high = (0, 1) if dtype == torch.bool else (torch.iinfo(dtype).min, torch.iinfo(dtype).max)
    usual = st.integers(0, min(classes - 1, high))
    value = st.one_of(usual, st.integers(low, high), st.sampled_from([low, high])) if wild else usual
    size = 1
    for side in shape:
        size *= side
    values = draw(st.lists(value, min_size=size, max_size=size))
    wide = [v - 2**64 if v >= 2**63 else v for v in values]  # the bits of a uint64
    x = torch.tensor(wide, dtype=torch.int64)
    x = x.view(torch.uint64) if dtype == torch.uint64 else x.to(dtype)
    return strided(draw, x.reshape(shape))


@st.composite
def scores(draw: st.DrawFn, shape: tuple[int, ...], *, special: bool = True) -> torch.Tensor:
    """Floating scores with many ties, signed zeros, infinities and nan."""
    dtype = draw(st.sampled_from(FLOATS))
    usual = st.sampled_from([-1.5, -0.0, 0.0, 0.25, 0.5, 1.0, 2.0])
    value = st.one_of(usual, st.sampled_from([float("nan"), float("inf"), -float("inf")])) if special else usual
    size = 1
    for side in shape:
        size *= side
    values = draw(st.lists(value, min_size=size, max_size=size))
    return strided(draw, torch.tensor(values, dtype=dtype).reshape(shape))


@st.composite
def images(draw: st.DrawFn, preds: Iterable[int], target: Iterable[int]) -> list[list[tuple[int, int]]]:
    """A few images of a few pixels, each (predicted, target), so that classes are often absent."""
    size = draw(st.integers(1, 8))
    pixel = st.tuples(st.sampled_from(list(preds)), st.sampled_from(list(target)))
    return draw(st.lists(st.lists(pixel, min_size=size, max_size=size), min_size=1, max_size=4))
