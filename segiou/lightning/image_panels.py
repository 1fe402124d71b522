"""Panels of images for loggers: photo, label, prediction and where they differ, side by side. Needs Pillow."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segiou.labels.checks import Colour
from segiou.lightning.image_samples import Sample
from segiou.report.pictures import coloured, errors

GAP, HEAD = 6, 16  # pixels between the parts of a panel, and above them
LEAST = 96  # pixels of the shorter side of a part: small images are enlarged


def panel(sample: Sample, palette: Sequence[Colour], ignored: Sequence[int]) -> Any:
    """One image as uint8 ``(height, width, 3)``: photo where there is one, label, prediction and error, with titles."""
    from PIL import Image, ImageDraw

    height, width = sample.label.shape
    scale = max(1, -(-LEAST // min(height, width)))
    size = (width * scale, height * scale)
    ground = np.full((height, width, 3), 32, np.uint8) if sample.photo is None else sample.photo
    parts = {} if sample.photo is None else {"photo": sample.photo}
    parts["label"] = _over(coloured(sample.label, palette, ignored), np.zeros_like(ground))
    parts["prediction"] = _over(coloured(sample.prediction, palette, ()), np.zeros_like(ground))
    grey = np.repeat(ground.mean(-1, keepdims=True) * 0.5, 3, -1).astype(np.uint8)
    name = "error" if sample.score != sample.score else f"error, mIoU {sample.score:.3f}"
    parts[name] = _over(errors(sample.prediction, sample.label, len(palette), ignored), grey)
    whole = Image.new("RGB", (len(parts) * (size[0] + GAP) - GAP, size[1] + HEAD), "white")
    draw = ImageDraw.Draw(whole)
    for place, (title, part) in enumerate(parts.items()):
        left = place * (size[0] + GAP)
        draw.text((left, 2), title, fill="black")
        whole.paste(Image.fromarray(part).resize(size, Image.Resampling.NEAREST), (left, HEAD))
    return np.asarray(whole)


def show(
    logger: Any,
    samples: Sequence[Sample],
    tag: str,
    at: tuple[int, int],
    names: Sequence[str],
    palette: Sequence[Colour],
    ignored: Sequence[int],
) -> None:
    """Hand panels to a logger in the logger's own way; a kind of logger that is not known gets none.

    Args:
        logger: one of the trainer's.
        samples: the images.
        tag: the name in the log, to which the place of the image is added.
        at: the epoch and the step.
        names: of the classes.
        palette: their colours.
        ignored: target values that are not counted.
    """
    epoch, step = at
    panels = [panel(sample, palette, ignored) for sample in samples]
    kinds: dict[str, Callable[[], Any]] = {
        "TensorBoardLogger": lambda: [
            logger.experiment.add_image(f"{tag}/{place}", each, global_step=step, dataformats="HWC")
            for place, each in enumerate(panels)
        ],
        "WandbLogger": lambda: logger.log_image(
            key=tag,
            images=[
                sample.photo if sample.photo is not None else each for sample, each in zip(samples, panels, strict=True)
            ],
            step=step,
            masks=[_masks(sample, names) for sample in samples],
            caption=[f"mIoU {sample.score:.4f}" for sample in samples],
        ),
        "MLFlowLogger": lambda: [
            logger.experiment.log_image(logger.run_id, each, artifact_file=f"{tag}_{place}_epoch{epoch}_step{step}.png")
            for place, each in enumerate(panels)
        ],
        "CSVLogger": lambda: _save(panels, Path(logger.log_dir) / "samples", f"{tag}_epoch{epoch}_step{step}"),
    }
    for kind in type(logger).__mro__:
        if kind.__name__ in kinds:
            kinds[kind.__name__]()
            return


def _masks(sample: Sample, names: Sequence[str]) -> dict[str, Any]:
    """The maps as W&B shows them over an image, which it can switch on and off; none over a panel."""
    if sample.photo is None:
        return {}
    labels = {**dict(enumerate(names)), 255: "not counted"}
    known = {"prediction": sample.prediction, "label": sample.label}
    return {
        name: {"mask_data": np.where((ids < 0) | (ids >= len(names)), 255, ids), "class_labels": labels}
        for name, ids in known.items()
    }


def _save(panels: Sequence[Any], folder: Path, name: str) -> None:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for place, each in enumerate(panels):
        Image.fromarray(each).save(folder / f"{name.replace('/', '_')}_{place}.png")


def _over(rgba: Any, ground: Any) -> Any:
    """A picture with transparent parts over another."""
    alpha = rgba[..., 3:] / 255
    return (rgba[..., :3] * alpha + ground * (1 - alpha)).astype(np.uint8)
