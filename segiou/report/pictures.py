"""Label maps as small pictures inside the page: what was predicted, the label, and where they differ. Needs Pillow."""

import base64
import colorsys
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from segiou.labels.checks import Colour
from segiou.report.data import Array, WorstImage

SIDE = 400  # pixels of the longer side of a picture, at most
WRONG, IGNORED, NOTHING = (217, 72, 15, 255), (128, 128, 128, 150), (0, 0, 0, 0)


class Overlay(NamedTuple):
    """One image as data URIs; ``image`` is empty where there is none. Width and height are those of the pictures."""

    prediction: str
    label: str
    error: str
    image: str
    width: int
    height: int


def overlay(worst: WorstImage, palette: Sequence[Colour], ignored: Sequence[int]) -> Overlay:
    """The pictures of one image; pixels are left out to make them small, and none is blended with another."""
    step = -(-max(worst.label.shape) // SIDE)
    places = slice(step // 2, None, step)
    prediction, label = np.asarray(worst.prediction)[places, places], np.asarray(worst.label)[places, places]
    height, width = label.shape
    return Overlay(
        _png(coloured(prediction, palette, ())),
        _png(coloured(label, palette, ignored)),
        _png(errors(prediction, label, len(palette), ignored)),
        "" if worst.image is None else _jpeg(worst.image, (width, height)),
        width,
        height,
    )


def colours(number: int) -> list[Colour]:
    """Colours that are easy to tell from their neighbours: hues a golden angle apart, in three shades."""
    shades = ((0.55, 0.62), (0.42, 0.70), (0.68, 0.55))  # lightness and saturation
    found = (colorsys.hls_to_rgb((place * 0.618034 + 0.58) % 1, *shades[place % 3]) for place in range(number))
    return [(round(255 * red), round(255 * green), round(255 * blue)) for red, green, blue in found]


def errors(prediction: Array, label: Array, classes: int, ignored: Sequence[int]) -> Array:
    """RGBA of one colour where the prediction is wrong, of another where it is not counted, and nothing elsewhere."""
    found = np.zeros((*label.shape, 4), np.uint8)
    found[prediction != label] = WRONG
    found[np.isin(label, ignored) | (label < 0) | (label >= classes)] = IGNORED
    return found


def coloured(ids: Array, palette: Sequence[Colour], ignored: Sequence[int]) -> Array:
    """RGBA; nothing where the value is ignored or no class."""
    values, places = np.unique(ids, return_inverse=True)
    known = [0 <= value < len(palette) and value not in ignored for value in values.tolist()]
    table = [(*palette[value], 255) if shown else NOTHING for value, shown in zip(values.tolist(), known, strict=True)]
    return np.array(table, np.uint8)[places.reshape(ids.shape)]


def _png(rgba: Array) -> str:
    return _uri(_pillow().fromarray(rgba), "png", optimize=True)


def _jpeg(rgb: Array, size: tuple[int, int]) -> str:
    pillow = _pillow()
    return _uri(pillow.fromarray(np.ascontiguousarray(rgb)).resize(size, pillow.Resampling.BOX), "jpeg", quality=80)


def _uri(picture: Any, kind: str, **options: Any) -> str:
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(data.getvalue()).decode()}"


def _pillow() -> Any:
    try:
        from PIL import Image
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError('overlays of images need Pillow: pip install "segiou[report]"') from missing
    return Image
