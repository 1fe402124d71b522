"""How other systems count, each stated again as naive loops over pixels: what they report, as fractions.

A system gets images of pixels, ``(predicted, target)``. None is a score that does not exist, 0/0.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

Pixel = tuple[int, int]
Image = Sequence[Pixel]
Score = Fraction | None


class Areas(NamedTuple):
    """Pixels of a class: true positives, predicted, in the target."""

    tp: int
    p: int
    g: int

    @property
    def union(self) -> int:
        return self.p + self.g - self.tp


Formula = Callable[[Areas], Score]


def ratio(top: Fraction | int, bottom: Fraction | int) -> Score:
    return Fraction(top) / Fraction(bottom) if bottom else None


def mean(scores: Iterable[Score]) -> Score:
    """Of those that exist."""
    found = [score for score in scores if score is not None]
    return ratio(sum(found), len(found))


def or_else(value: int, scores: Iterable[Score]) -> list[Fraction]:
    return [Fraction(value) if score is None else score for score in scores]


def areas(pixels: Iterable[Pixel], c: int, ignored: Collection[int] = ()) -> Areas:
    kept = [(p, t) for p, t in pixels if t not in ignored]
    return Areas(sum(p == t == c for p, t in kept), sum(p == c for p, _ in kept), sum(t == c for _, t in kept))


def per_class(images: Iterable[Image], classes: int, ignored: Collection[int] = ()) -> list[Areas]:
    pixels = [pixel for image in images for pixel in image]
    return [areas(pixels, c, ignored) for c in range(classes)]


def iou(a: Areas) -> Score:
    return ratio(a.tp, a.union)


def dice(a: Areas) -> Score:
    return ratio(2 * a.tp, a.p + a.g)


def accuracy(a: Areas) -> Score:
    return ratio(a.tp, a.g)


# Class 3 is only predicted, class 4 is absent, a prediction of class 2 is void, and each image has an ignored pixel.
EXAMPLE = [
    [(0, 0), (0, 0), (1, 0), (1, 1), (3, 1), (2, 255)],
    [(0, 0), (1, 1), (0, 1), (2, 2), (255, 2), (0, 255)],
]
# class     0    1    2    3  4
# tp        3    2    1    0  0     of both images
# p, g    4,4  3,4  1,2  1,0  0
# IoU     3/5  2/5  1/2    0  -
# IoU     2/3  1/3    -    0  -     of the first
# IoU     1/2  1/2  1/2    -  -     of the second
WITHOUT_VOID = [[(0 if p == 255 else p, t) for p, t in image] for image in EXAMPLE]  # class 0: p = 5, IoU 3/6


# ---- over the data set


def mmsegmentation(images: Sequence[Image], classes: int, ignore_index: int = 255) -> dict[str, Score]:
    """A class is left out of a mean where its score is 0/0; a prediction outside is in no histogram."""
    found = per_class(images, classes, [ignore_index])
    return {
        "mIoU": mean(map(iou, found)),
        "mAcc": mean(map(accuracy, found)),
        "mDice": mean(map(dice, found)),
        "aAcc": ratio(sum(a.tp for a in found), sum(a.g for a in found)),
    }


def evaluate(images: Sequence[Image], classes: int, ignore_index: int, reduce_labels: bool) -> dict[str, Score]:
    """The same counts; ``reduce_labels`` moves the target, and not the prediction, down by one, and 0 to 255."""
    if reduce_labels:
        images = [[(p, 255 if t in (0, 255) else t - 1) for p, t in image] for image in images]
    found = mmsegmentation(images, classes, ignore_index)
    return {"mean_iou": found["mIoU"], "mean_accuracy": found["mAcc"], "overall_accuracy": found["aAcc"]}


def pascal_voc(images: Sequence[Image], classes: int) -> Score:
    """The plain mean: one class that is 0/0 makes it nan."""
    scores = [iou(a) for a in per_class(images, classes, [255])]
    return None if None in scores else mean(scores)


def ade20k(images: Sequence[Image], classes: int) -> dict[str, Score]:
    """Raw ids 1 to C; target 0 is not counted, prediction 0 is no class; an absent class counts as 0."""
    scores = [iou(a) for a in per_class(images, classes + 1, [0])[1:]]
    counted = [(p, t) for image in images for p, t in image if t != 0]
    pixel_accuracy = ratio(sum(p == t for p, t in counted), len(counted))
    miou = mean(or_else(0, scores))
    score = None if pixel_accuracy is None else (pixel_accuracy + miou) / 2
    return {"mIoU": miou, "pixel accuracy": pixel_accuracy, "score": score}


def coco_stuff(images: Sequence[Image], classes: int, ignore_index: int = 255) -> dict[str, Score]:
    """In percent; the classes of the target only. detectron2 reports the same four."""
    found = [a for a in per_class(images, classes, [ignore_index]) if a.g]
    total = sum(a.g for a in found)
    scores = {
        "mIoU": mean(map(iou, found)),
        "fwIoU": ratio(sum(iou(a) * a.g for a in found), total),
        "mACC": mean(map(accuracy, found)),
        "pACC": ratio(sum(a.tp for a in found), total),
    }
    return {name: None if score is None else 100 * score for name, score in scores.items()}


def keras(images: Sequence[Image], classes: int, ignore_class: int | None = None) -> Score:
    """A pixel whose prediction or target is outside is not counted; an absent class is left out (1e-7 aside)."""
    inside = range(classes)
    kept = [[(p, t) for p, t in image if p in inside and t in inside and t != ignore_class] for image in images]
    return mean(map(iou, per_class(kept, classes)))


def ignite(images: Sequence[Image], classes: int, formula: Formula, ignore_index: int | None = None) -> Score:
    """A target outside is not counted; an absent class counts as 0; ``ignore_index`` leaves a score out, no pixel."""
    kept = [[(p, t) for p, t in image if t in range(classes)] for image in images]
    scores = or_else(0, map(formula, per_class(kept, classes)))
    return mean(score for c, score in enumerate(scores) if c != ignore_index)


# ---- Cityscapes, on raw ids

CATEGORY = {
    **dict.fromkeys([7, 8], "flat"),
    **dict.fromkeys([11, 12, 13], "construction"),
    **dict.fromkeys([17, 19, 20], "object"),
    **dict.fromkeys([21, 22], "nature"),
    23: "sky",
    **dict.fromkeys([24, 25], "human"),
    **dict.fromkeys([26, 27, 28, 31, 32, 33], "vehicle"),
}
INSTANCE_SIZE = {
    24: 3462.4756337644,
    25: 3930.4788056518,
    26: 12794.0202738185,
    27: 27855.1264367816,
    28: 35732.1511111111,
    31: 67583.7075812274,
    32: 6298.7200839748,
    33: 4672.3249222261,
}


def cityscapes(images: Sequence[Image]) -> tuple[Score, Score]:
    """The means over classes and over categories; other ids are ignored in the target, and wrong where predicted."""
    counted = [(p, t) for image in images for p, t in image if t in CATEGORY]
    of_category = [(CATEGORY.get(p), CATEGORY[t]) for p, t in counted]
    classes = [iou(areas(counted, c)) for c in CATEGORY]
    categories = [iou(areas(of_category, name)) for name in set(CATEGORY.values())]
    return mean(classes), mean(categories)


def cityscapes_instances(images: Sequence[Image], instances: Sequence[Sequence[int]]) -> tuple[Score, Score]:
    """The iIoU of classes and of categories. Instance k of class c has the id 1000 c + k.

    A caravan or trailer (29, 30) is ignored in the target; where it is predicted, the category is vehicle.
    """
    categories = {**CATEGORY, 29: "vehicle", 30: "vehicle"}
    counted = [(p, t) for image in images for p, t in image if t in CATEGORY]

    def score(ids: Collection[int]) -> Score:
        tp, total = Fraction(0), Fraction(0)
        for image, names in zip(images, instances, strict=True):
            for name in {name for name in names if name > 1000 and name // 1000 in ids and name // 1000 in CATEGORY}:
                mask = [p for (p, _), n in zip(image, names, strict=True) if n == name]
                size = Fraction(INSTANCE_SIZE[name // 1000])
                tp += size * sum(p in ids for p in mask) / len(mask)
                total += size
        return ratio(tp, total + sum(p in ids and t not in ids for p, t in counted))

    of_categories = [score([c for c in categories if categories[c] == name]) for name in ("human", "vehicle")]
    return mean(score([c]) for c in INSTANCE_SIZE), mean(of_categories)


# ---- over images


def monai(
    images: Sequence[Image],
    classes: int,
    formula: Formula,
    reduction: str,
    *,
    ignore_empty: bool = True,
    include_background: bool = True,
) -> list[Fraction]:
    """A score for each image and channel, none without a target, or with ``ignore_empty=False`` 1 if both are empty.

    A mean of nothing is 0, and where all channels of an image have none, the image is not in "mean".
    """
    table = []
    for image in images:
        found = per_class([image], classes, [255])[0 if include_background else 1 :]
        if ignore_empty:
            table.append([formula(a) if a.g else None for a in found])
        else:
            table.append(or_else(1, map(formula, found)))
    if reduction == "mean_batch":
        return or_else(0, map(mean, zip(*table, strict=True)))
    of_images = [mean(row) for row in table]
    return or_else(0, of_images if reduction == "mean_channel" else [mean(of_images)])


def segmentation_models_pytorch(
    images: Sequence[Image], classes: int, reduction: str, weights: Sequence[Fraction] = (), ignore_index: int = 255
) -> Score:
    """0/0 is 1; the weights are the user's. "weighted-imagewise" is divided by the number of classes once more."""
    if reduction == "micro":
        return iou(_summed(per_class(images, classes, [ignore_index])))
    if reduction == "micro-imagewise":
        return mean(or_else(1, [iou(_summed(per_class([image], classes, [ignore_index]))) for image in images]))
    parts = [[image] for image in images] if reduction.endswith("-imagewise") else [images]
    rows = [or_else(1, map(iou, per_class(part, classes, [ignore_index]))) for part in parts]
    columns = [mean(column) for column in zip(*rows, strict=True)]
    if not weights:
        return mean(columns)
    total = sum(w * score for w, score in zip(weights, columns, strict=True))
    return total / classes if reduction == "weighted-imagewise" else total


def _summed(found: list[Areas]) -> Areas:
    return Areas(*map(sum, zip(*found, strict=True)))


def fine_grained(images: Sequence[Image], classes: int, worst: float = 100) -> dict[str, Score]:
    """A class is active in the images whose target has it; "worst" is the percentage of I and C that is averaged."""
    rows = [[iou(a) if a.g else None for a in per_class([image], classes, [255])] for image in images]
    return {
        "D": mean(map(iou, per_class(images, classes, [255]))),
        "I": mean(_lowest(map(mean, rows), worst)),
        "C": mean(mean(_lowest(column, worst)) for column in zip(*rows, strict=True)),
    }


def fine_grained_of_two(images: Sequence[Image], worst: float = 100) -> dict[str, Score]:
    """The authors' rule for two classes: class 1 alone, and 1 for an image in which it is nowhere."""
    of_images = or_else(1, (iou(areas(image, 1, [255])) for image in images))
    return {"D": iou(per_class(images, 2, [255])[1]), "I": mean(_lowest(of_images, worst))}


def _lowest(scores: Iterable[Score], percent: float) -> list[Fraction]:
    found = sorted(score for score in scores if score is not None)
    return found[: max(1, int(percent / 100 * len(found)))]
