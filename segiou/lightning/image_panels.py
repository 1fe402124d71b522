"""Panels of images for loggers: photo, label, prediction and where they differ, side by side. Needs Pillow."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from segiou.labels.checks import Colour
from segiou.lightning.image_samples import Sample
from segiou.lightning.logger_pictures import When, kind_of, show_pictures
from segiou.report.pictures import IGNORED, WRONG, coloured, errors

GAP, HEAD = 6, 16  # pixels between the parts of a panel, and above them
LEAST = 96  # pixels of the shorter side of a part: small images are enlarged
MOST = 640  # pixels of its longer side up to which they are
LINE, SWATCH = 16, 9  # pixels of a line of the legend, and of a colour in it
MOST_NAMED = 24  # classes: the colours of more are not told apart
MOST_MASKED = 255  # classes: W&B keeps a byte for each pixel of a mask, and one value is for pixels that do not count


def panel(sample: Sample, palette: Sequence[Colour], ignored: Sequence[int], names: Sequence[str] = ()) -> Any:
    """One image as uint8 ``(height, width, 3)``: photo where there is one, label, prediction and error, with titles.

    With the ``names`` of up to 24 classes a legend below has those that occur.
    """
    from PIL import Image, ImageDraw

    height, width = sample.label.shape
    scale = max(1, min(-(-LEAST // min(height, width)), MOST // max(height, width)))
    size = (width * scale, height * scale)
    ground = np.full((height, width, 3), 32, np.uint8) if sample.photo is None else sample.photo
    parts = {} if sample.photo is None else {"photo": sample.photo}
    parts["label"] = _over(coloured(sample.label, palette, ignored), np.zeros_like(ground))
    parts["prediction"] = _over(coloured(sample.prediction, palette, ()), np.zeros_like(ground))
    grey = np.repeat(ground.mean(-1, keepdims=True) * 0.5, 3, -1).astype(np.uint8)
    name = "error" if sample.score != sample.score else f"error, mIoU {sample.score:.3f}"
    parts[name] = _over(errors(sample.prediction, sample.label, len(palette), ignored), grey)
    width = len(parts) * (size[0] + GAP) - GAP
    entries = _entries(sample, palette, ignored, names)
    places, rows = _places([name for name, _ in entries], width)
    whole = Image.new("RGB", (width, HEAD + size[1] + rows * LINE), "white")
    draw = ImageDraw.Draw(whole)
    for place, (title, part) in enumerate(parts.items()):
        left = place * (size[0] + GAP)
        draw.text((left, 2), title, fill="black")
        whole.paste(Image.fromarray(part).resize(size, Image.Resampling.NEAREST), (left, HEAD))
    for (name, colour), (left, row) in zip(entries, places, strict=True):
        top = HEAD + size[1] + row * LINE + 4
        draw.rectangle((left, top, left + SWATCH, top + SWATCH), fill=colour, outline="grey")
        draw.text((left + SWATCH + 4, top - 1), name, fill="black")
    return np.asarray(whole)


def _entries(
    sample: Sample, palette: Sequence[Colour], ignored: Sequence[int], names: Sequence[str]
) -> list[tuple[str, Colour]]:
    """Names and colours of the classes that occur, for a legend; none where the colours could not be told apart."""
    occurring = np.union1d(sample.label, sample.prediction).tolist()
    known = [value for value in occurring if 0 <= value < len(names) and value not in ignored]
    if not 0 < len(names) <= MOST_NAMED:
        return []
    found = [(names[value], palette[value]) for value in known]
    shown = errors(sample.prediction, sample.label, len(palette), ignored).reshape(-1, 4)
    reasons = (("wrong", WRONG), ("not counted", IGNORED))
    return found + [(name, colour[:3]) for name, colour in reasons if (shown == colour).all(1).any()]


def _places(names: Sequence[str], width: int) -> tuple[list[tuple[int, int]], int]:
    """Where the entries of a legend start, from the left and in which row, and the number of rows."""
    from PIL import ImageFont

    font = ImageFont.load_default()
    places: list[tuple[int, int]] = []
    left = row = 0
    for name in names:
        needed = SWATCH + 4 + int(font.getlength(name)) + 12
        if left and left + needed > width:
            left, row = 0, row + 1
        places.append((left, row))
        left += needed
    return places, row + 1 if names else 0


def show(
    logger: Any,
    samples: Sequence[Sample],
    panels: Callable[[], Sequence[Any]],
    tag: str,
    when: When,
    names: Sequence[str],
    ignored: Sequence[int],
) -> None:
    """Give images to a logger: panels, but W&B the photo with the label and the prediction as its own masks over it.

    W&B gets a panel where there is no photo, or where its masks could not hold as many classes.

    Args:
        logger: one of the trainer's.
        samples: the images.
        panels: makes the panels of all of them.
        tag: the name in the log, to which the place of the image is added.
        when: the epoch and the step.
        names: of the classes.
        ignored: labels that do not count.
    """
    if kind_of(logger) != "WandbLogger":
        show_pictures(logger, lambda: {f"{tag}/{i}": each for i, each in enumerate(panels())}, when, "samples")
        return
    masked = [sample.photo is not None and len(names) <= MOST_MASKED for sample in samples]
    masks = [_masks(sample, names, ignored) if masked[i] else {} for i, sample in enumerate(samples)]
    logger.log_image(
        key=tag,
        images=[sample.photo if masked[i] else panels()[i] for i, sample in enumerate(samples)],
        step=when.step,
        caption=[f"mIoU {sample.score:.4f}" for sample in samples],
        **({"masks": masks} if any(masks) else {}),
    )


def _masks(sample: Sample, names: Sequence[str], ignored: Sequence[int]) -> dict[str, Any]:
    """The maps as W&B shows them over an image, which it can switch on and off."""
    other = len(names)  # no class
    labels = {**dict(enumerate(names)), other: "not counted"}
    left_out = {"prediction": (), "label": ignored}  # a prediction is a class also where the label does not count
    return {
        name: {
            "mask_data": np.where((ids < 0) | (ids >= other) | np.isin(ids, left_out[name]), other, ids),
            "class_labels": labels,
        }
        for name, ids in (("prediction", sample.prediction), ("label", sample.label))
    }


def _over(rgba: Any, ground: Any) -> Any:
    """A picture with transparent parts over another."""
    alpha = rgba[..., 3:] / 255
    return (rgba[..., :3] * alpha + ground * (1 - alpha)).astype(np.uint8)
