"""The images that are kept to be looked at, and the panels that are made of them."""

import math

import numpy as np
import pytest
import torch

from segiou import MeanIoU
from segiou.lightning.batch_photos import TakenPhotos
from segiou.lightning.image_panels import HEAD, LINE, MOST_NAMED, panel
from segiou.lightning.image_samples import SIDE, Sample, Samples
from segiou.lightning.photo import Photo
from segiou.report.pictures import IGNORED as GREY
from segiou.report.pictures import WRONG, colours
from tests.helpers import oracle

CLASSES, IGNORED = 4, 255


def batch(seed, images=4, size=(6, 5)):
    """Scores, targets and photos; later images of a batch are worse."""
    rng = torch.Generator().manual_seed(seed)
    target = torch.randint(0, CLASSES, (images, *size), generator=rng)
    noise = torch.rand(images, CLASSES, *size, generator=rng) * torch.rand(images, 1, 1, 1, generator=rng) * 3
    scores = torch.nn.functional.one_hot(target, CLASSES).movedim(-1, 1) + noise
    target[torch.rand(target.shape, generator=rng) < 0.1] = IGNORED
    photos = torch.randint(0, 256, (images, 3, *size), generator=rng) / 255
    return scores, target, photos


def miou(scores, target):
    """Of one image, by a loop."""
    counts = oracle.matrix(oracle.argmax(scores[None]), oracle.pixels(target), CLASSES, (IGNORED,))
    return float(oracle.macro(oracle.iou, counts, range(CLASSES)))


def kept(number, choice, batches):
    samples = Samples(MeanIoU(CLASSES, ignore_index=IGNORED), number, choice)
    for scores, target, photos in batches:
        samples.update(scores, target, None if photos is None else TakenPhotos(photos, Photo()))
    return samples.lowest()


@pytest.mark.parametrize("shape", [(64, 2048), (1, 960), (2, 3), (1, 1), (300, 5)])
def test_a_flat_map_makes_no_giant_picture(shape):
    maps = np.zeros(shape, np.int64)
    height, width, _ = panel(Sample(0.5, None, maps, maps), colours(3), (), ["a", "b", "c"]).shape
    assert height <= 700
    assert width <= 3 * max(640, shape[1]) + 100
    assert max(height, width) >= 96


@pytest.mark.parametrize("number", [1, 3, 20])
def test_the_worst_images_are_kept_with_their_maps_and_photos(number):
    batches = [batch(seed, images=1 + seed % 4) for seed in range(6)]
    images = [image for each in batches for image in zip(*each, strict=True)]
    images.sort(key=lambda image: miou(*image[:2]))
    found = kept(number, "worst", batches)
    assert len(found) == min(number, len(images))
    for sample, (scores, target, photo) in zip(found, images, strict=False):
        assert sample.score == pytest.approx(miou(scores, target))
        assert np.array_equal(sample.prediction, scores.argmax(0))
        assert np.array_equal(sample.label, target)
        assert np.array_equal(sample.photo, (photo * 255).round().byte().movedim(0, -1))


def test_the_first_images_are_kept_in_their_order():
    batches = [batch(seed, images=2) for seed in range(3)]
    found = kept(3, "first", batches)
    labels = torch.cat([target for _, target, _ in batches])
    assert [sample.label.tolist() for sample in found] == labels[:3].tolist()


def test_images_of_other_sizes_and_large_ones_are_kept_whole():
    small, large = batch(0, 2, (3, 9)), batch(1, 2, (2 * SIDE, SIDE))
    found = {sample.label.shape: sample for sample in kept(9, "worst", [small, large])}
    assert set(found) == {(3, 9), (SIDE, SIDE // 2)}
    assert found[SIDE, SIDE // 2].photo.shape == (SIDE, SIDE // 2, 3)
    listed = Samples(MeanIoU(CLASSES, ignore_index=IGNORED), 9, "worst")
    listed.update([*small[0], *large[0]], [*small[1], *large[1]])
    assert {sample.label.shape for sample in listed.lowest()} == set(found)


def test_an_image_without_a_score_comes_last_and_one_without_photo_has_none():
    scores, target, _ = batch(0, 2)
    target[0] = IGNORED
    first, last = kept(2, "worst", [(scores, target, None)])
    assert first.score == pytest.approx(miou(scores[1], target[1]))
    assert math.isnan(last.score)
    assert first.photo is None


@pytest.mark.parametrize("batches", [1, 2])
def test_an_image_without_a_score_takes_the_place_of_no_other(batches):
    scores, target, _ = batch(0, 2)
    target[0] = IGNORED
    parts = [
        (each, labels, None)
        for each, labels in zip(scores.split(2 // batches), target.split(2 // batches), strict=True)
    ]
    (only,) = kept(1, "worst", parts)
    assert only.score == pytest.approx(miou(scores[1], target[1]))


def test_nothing_of_the_batch_is_changed_or_kept():
    scores, target, photos = batch(0)
    before = scores.clone(), target.clone(), photos.clone()
    samples = Samples(MeanIoU(CLASSES, ignore_index=IGNORED), 2, "worst")
    samples.update(scores.requires_grad_(), target, TakenPhotos(photos, Photo()))
    assert all(torch.equal(a.detach(), b) for a, b in zip((scores, target, photos), before, strict=True))
    memories = {part.untyped_storage().data_ptr() for part in samples._kept}
    assert not memories & {part.untyped_storage().data_ptr() for part in (scores, target, photos)}
    assert not any(part.requires_grad for part in samples._kept)


def test_a_panel_shows_photo_label_prediction_and_error():
    label = np.array([[0, 1], [2, IGNORED]])
    sample = Sample(0.5, np.full((2, 2, 3), 200, np.uint8), np.array([[0, 0], [2, 3]]), label)
    palette = colours(CLASSES)
    shown = panel(sample, palette, [IGNORED])
    side, gap = 96, 6
    assert shown.shape == (side + HEAD, 4 * side + 3 * gap, 3)

    def at(part, row, column):
        return tuple(shown[HEAD + side // 4 + row * side // 2, part * (side + gap) + side // 4 + column * side // 2])

    assert at(0, 0, 0) == (200, 200, 200)
    assert [at(1, 0, 0), at(1, 0, 1), at(1, 1, 0), at(1, 1, 1)] == [*palette[:3], (0, 0, 0)]
    assert [at(2, 0, 0), at(2, 0, 1), at(2, 1, 1)] == [palette[0], palette[0], palette[3]]
    assert at(3, 0, 1) == WRONG[:3]
    assert at(3, 0, 0) == (100, 100, 100), "right pixels show the photo, in grey"
    assert at(3, 1, 1) not in (WRONG[:3], (100, 100, 100), GREY[:3])
    without = panel(sample._replace(photo=None), palette, [IGNORED])
    assert without.shape == (side + HEAD, 3 * side + 2 * gap, 3)


def test_a_legend_names_the_classes_that_occur_up_to_24():
    label = np.full((100, 100), 2)
    sample = Sample(0.5, None, np.where(np.arange(100) < 50, 1, label), label)

    def legend(classes):
        names = [f"name {place}" for place in range(classes)]
        return panel(sample, colours(classes), [], names)[HEAD + 100 :]

    shown = legend(MOST_NAMED)
    assert len(shown) == LINE
    found = {tuple(pixel) for pixel in shown.reshape(-1, 3).tolist()}
    assert {*colours(MOST_NAMED)[1:3], WRONG[:3]} <= found
    assert not {*colours(MOST_NAMED)[3:], colours(MOST_NAMED)[0], GREY[:3]} & found - {(128, 128, 128)}
    assert len(legend(MOST_NAMED + 1)) == 0
