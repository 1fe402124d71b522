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
BETTER, WORSE, BOTH_WRONG = (31, 111, 178, 255), WRONG, (214, 168, 60, 255)


class ComparedMaps(NamedTuple):
    """What two models predicted of one image.

    ``prediction_a``, ``prediction_b``, ``label``: class ids and ignored values, integers ``(H, W)``. ``image``: the
    image itself, uint8 ``(H, W, 3)`` of red, green and blue, or None.
    """

    prediction_a: Array
    prediction_b: Array
    label: Array
    image: Array | None = None


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
    prediction, label = reduced(worst.prediction, worst.label)
    height, width = label.shape
    return Overlay(
        _png(coloured(prediction, palette, ())),
        _png(coloured(label, palette, ignored)),
        _png(errors(prediction, label, len(palette), ignored)),
        "" if worst.image is None else _jpeg(worst.image, (width, height)),
        width,
        height,
    )


class ComparedOverlay(NamedTuple):
    """One image of two models as data URIs, as in ``Overlay``; ``change`` is where one is right and the other wrong."""

    label: str
    a: str
    b: str
    change: str
    image: str
    width: int
    height: int


def compared_overlay(maps: ComparedMaps, palette: Sequence[Colour], ignored: Sequence[int]) -> ComparedOverlay:
    """The pictures of one image of two models, made small as those of ``overlay``."""
    a, b, label = reduced(maps.prediction_a, maps.prediction_b, maps.label)
    height, width = label.shape
    return ComparedOverlay(
        _png(coloured(label, palette, ignored)),
        _png(coloured(a, palette, ())),
        _png(coloured(b, palette, ())),
        _png(changes(a, b, label, len(palette), ignored)),
        "" if maps.image is None else _jpeg(maps.image, (width, height)),
        width,
        height,
    )


def reduced(*maps: Array) -> list[Array]:
    """Maps of one shape with so few pixels that they have at most ``SIDE`` on a side."""
    height, width = np.shape(maps[0])
    step = -(-max(height, width) // SIDE)
    rows, columns = (slice(min(step // 2, side - 1), None, step) for side in (height, width))
    return [np.asarray(each)[rows, columns] for each in maps]


def colours(number: int) -> list[Colour]:
    """Colours that are easy to tell from their neighbours: hues a golden angle apart, in three shades."""
    shades = ((0.55, 0.62), (0.42, 0.70), (0.68, 0.55))  # lightness and saturation
    found = (colorsys.hls_to_rgb((place * 0.618034 + 0.58) % 1, *shades[place % 3]) for place in range(number))
    return [(round(255 * red), round(255 * green), round(255 * blue)) for red, green, blue in found]


def errors(prediction: Array, label: Array, classes: int, ignored: Sequence[int]) -> Array:
    """RGBA of one colour where the prediction is wrong, of another where it is not counted, and nothing elsewhere."""
    found = np.zeros((*label.shape, 4), np.uint8)
    found[prediction != label] = WRONG
    found[_not_counted(label, classes, ignored)] = IGNORED
    return found


def changes(a: Array, b: Array, label: Array, classes: int, ignored: Sequence[int]) -> Array:
    """RGBA: where B is right and A wrong, where A is right and B wrong, where both are wrong, what is not counted."""
    found = np.zeros((*label.shape, 4), np.uint8)
    found[(a != label) & (b != label)] = BOTH_WRONG
    found[(a != label) & (b == label)] = BETTER
    found[(a == label) & (b != label)] = WORSE
    found[_not_counted(label, classes, ignored)] = IGNORED
    return found


def _not_counted(label: Array, classes: int, ignored: Sequence[int]) -> Array:
    found: Array = np.isin(label, ignored) | (label < 0) | (label >= classes)
    return found


def coloured(ids: Array, palette: Sequence[Colour], ignored: Sequence[int]) -> Array:
    """RGBA; nothing where the value is ignored or no class."""
    values, places = np.unique(ids, return_inverse=True)
    known = [0 <= value < len(palette) and value not in ignored for value in values.tolist()]
    table = [(*palette[value], 255) if shown else NOTHING for value, shown in zip(values.tolist(), known, strict=True)]
    return np.array(table, np.uint8)[places.reshape(ids.shape)]


def _png(rgba: Array) -> str:
    """A PNG with a palette where 256 colours are enough, which is much smaller."""
    colours, places = np.unique(np.ascontiguousarray(rgba).view(np.uint32)[..., 0], return_inverse=True)
    if len(colours) > 256:
        return _uri(_pillow().fromarray(rgba), "png", optimize=True)
    picture = _pillow().fromarray(places.reshape(rgba.shape[:2]).astype(np.uint8))
    picture.putpalette(colours.view(np.uint8).tobytes(), "RGBA")
    return _uri(picture, "png", optimize=True)


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
