"""The images that a page shows, read once more from their files."""

from collections.abc import Sequence
from typing import NamedTuple

from segiou.evaluation.mask_files import read_mask
from segiou.evaluation.masks import Array, MaskError
from segiou.evaluation.pairing import Item
from segiou.evaluation.photos import Photos
from segiou.evaluation.placement import in_one_place
from segiou.evaluation.tally import Scoring
from segiou.metrics.image_means import ImageScores
from segiou.report import ComparedMaps, WorstImage
from segiou.report.examples import choices_of, ranks_of

FOR_CLASSES = 2  # times the images of a choice: those that are shown for classes alone, at most


class Maps(NamedTuple):
    """Class ids ``(H, W)`` of the predictions of each model and of the label, and the photo or None."""

    predictions: list[Array]
    label: Array
    photo: Array | None


class PageImages:
    """Reads the masks and photos of images, each once.

    Args:
        items: the files.
        scoring: how they were read.
        photos: of the images, or None.
    """

    def __init__(self, items: Sequence[Item], scoring: Scoring, photos: Photos | None) -> None:
        self.files = {item.name: item for item in items}
        self.scoring = scoring
        self.photos = photos
        self.without_photo: list[tuple[str, str]] = []
        self._read: dict[str, Maps | None] = {}

    def chosen(self, images: ImageScores, number: int) -> dict[str, list[WorstImage]]:
        """The images of each choice, ``number`` each, and under "class" those that are worst for single classes.

        There are few of the latter, of the classes with the lowest scores first: the page stays small.
        """
        places = choices_of(images, number)
        if number:
            places["class"] = _worst_of_classes(images, FOR_CLASSES * number)
        names, values = list(map(str, images.ids)), images.values.tolist()
        found = {
            choice: [self.read(names[place], values[place]) for place in chosen] for choice, chosen in places.items()
        }
        return {choice: [image for image in each if image is not None] for choice, each in found.items()}

    def read(self, name: str, score: float) -> WorstImage | None:
        """One image of the first model; None where its masks are volumes, or have gone meanwhile."""
        maps = self._maps(name)
        return None if maps is None else WorstImage(name, score, maps.predictions[0], maps.label, maps.photo)

    def compared(self, name: str) -> ComparedMaps | None:
        """One image of two models; None where ``read`` gives none."""
        maps = self._maps(name)
        if maps is None:
            return None
        a, b = maps.predictions
        return ComparedMaps(a, b, maps.label, maps.photo)

    def _maps(self, name: str) -> Maps | None:
        if name not in self._read:
            self._read[name] = self._fresh(self.files[name])
        return self._read[name]

    def _fresh(self, item: Item) -> Maps | None:
        of_pred, of_label, most = self.scoring.of_pred, self.scoring.of_label, self.scoring.max_pixels
        try:
            label = of_label.labels_of(read_mask(item.label, most))
            preds = [in_one_place(of_pred.labels_of(read_mask(path, most)), label) for path in item.preds]
            predictions, classes = [of_pred.classes(pred).numpy() for pred in preds], of_label.classes(label).numpy()
        except MaskError:
            return None
        if len(label.shape) != 2:
            return None
        return Maps(predictions, classes, self._photo(item.name, label.shape))

    def _photo(self, name: str, size: tuple[int, ...]) -> Array | None:
        if self.photos is None:
            return None
        try:
            return self.photos.read(name, size)
        except MaskError as error:
            self.without_photo.append((name, str(error)))
            return None


def _worst_of_classes(images: ImageScores, most: int) -> list[int]:
    """The places of the images that are worst for a class: one of each, then the second of each, and so on."""
    ranks = ranks_of(images)
    in_turn = sorted(
        (turn, score, place) for ranked in ranks for turn, (place, score) in enumerate(ranked) if score < 1
    )
    return list(dict.fromkeys(place for _, _, place in in_turn))[:most]
