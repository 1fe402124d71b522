"""The photos of batches as loaders of many kinds give them."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from segiou import MeanIoU
from segiou.lightning import SegmentationMonitor
from segiou.lightning.batch_photos import BatchPhotos
from segiou.lightning.image_samples import Samples
from segiou.lightning.photo import Photo
from tests.helpers.lightning_cases import OF_LIGHTNING, Tiny, loader, trainer

pytestmark = OF_LIGHTNING
N, H, W = 4, 6, 5
TARGET = torch.arange(N * H * W).view(N, H, W) % 3
PREDS = torch.zeros_like(TARGET)
RGB = torch.randint(0, 256, (N, 3, H, W), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def shown(images, target=TARGET, **options):
    """The photos beside all images of a batch, in their order, and the texts of warnings."""
    samples = Samples(MeanIoU(3), 20, "first")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        photos = BatchPhotos("image", Photo(**options), expected=True)
        samples.update(
            target * 0 if torch.is_tensor(target) else [each * 0 for each in target],
            target,
            photos.taken({"image": images}, N),
        )
    return [sample.photo for sample in samples.lowest()], [str(each.message) for each in caught]


def same(found, places=range(N)):
    """Whether the photos at these places are those of the batch."""
    return all(np.array_equal(found[place], RGB[place].permute(1, 2, 0)) for place in places)


def last(photos):
    return photos.permute(0, 2, 3, 1)


KINDS = {
    "a tensor": RGB,
    "channels last": last(RGB),
    "an array": RGB.numpy(),
    "an array with channels last": last(RGB).numpy(),
    "a flipped view of an array": RGB.flip(3).numpy()[..., ::-1],
    "fractions of big-endian": (RGB / 255).numpy().astype(">f4"),
    "a list of tensors": list(RGB),
    "a list of arrays with channels last": list(last(RGB).numpy()),
    "a tuple of both layouts": (RGB[0], last(RGB)[1], RGB[2].numpy(), last(RGB)[3].numpy()),
    "a list of Pillow's": [Image.fromarray(photo) for photo in last(RGB).numpy()],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("of_list", [False, True])
def test_photos_of_any_layout_are_shown(kind, of_list):
    photos, warned = shown(KINDS[kind], list(TARGET) if of_list else TARGET)
    assert same(photos)
    assert not warned


@pytest.mark.parametrize("grey", [RGB[:, 0], RGB[:, :1], RGB[:, 0].numpy(), list(RGB[:, 0]), last(RGB[:, :1])])
def test_grey_photos_need_no_channels(grey):
    photos, warned = shown(grey)
    assert not warned
    for photo, expected in zip(photos, RGB[:, 0], strict=True):
        assert np.array_equal(photo, expected[..., None].expand(-1, -1, 3))


def test_bands_are_of_channels_that_are_last_too():
    photos, _ = shown(last(RGB), bands=(2, 0, 0))
    assert np.array_equal(photos[1], RGB[1, [2, 0, 0]].permute(1, 2, 0))


BROKEN = {
    "text": "unread.png",
    "nothing": None,
    "one axis": torch.rand(5),
    "no pixels": torch.rand(3, 0, 5),
    "complex": torch.rand(3, H, W, dtype=torch.complex64),
    "masked": np.ma.masked_array(np.ones((3, H, W)), True),
    "objects": np.array([None, None]),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("of_list", [False, True])
def test_a_photo_that_cannot_be_shown_costs_no_other_its_picture(name, of_list):
    photos, warned = shown([RGB[0], BROKEN[name], RGB[2], BROKEN[name]], list(TARGET) if of_list else TARGET)
    assert same(photos, (0, 2))
    assert photos[1] is photos[3] is None
    (text,) = warned
    assert text.startswith("SegmentationMonitor: images are shown without photos: ")
    assert text.endswith("image= to say where they are in the batch, or a function that gives them")


def test_photos_of_other_sizes_are_brought_to_their_label_map():
    twice = RGB[1].repeat_interleave(2, 1).repeat_interleave(2, 2)
    photos, warned = shown([RGB[0], twice, last(RGB)[2], twice.permute(1, 2, 0)])
    assert same(photos, (0, 1, 2))
    assert np.array_equal(photos[3], photos[1])
    assert not warned


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr", "RGB"])
def test_images_of_pillow_are_shown_in_their_colours(mode):
    picture = Image.new("RGB", (6, 5), (255, 255, 255) if mode == "1" else (220, 40, 0)).convert(mode)
    photos = BatchPhotos("image", Photo(), expected=True)
    taken = photos.taken({"image": [picture]}, 1)
    assert np.abs(taken.one(0, (5, 6)).astype(int) - np.asarray(picture.convert("RGB"))).max() <= 1


def test_a_batch_of_fewer_photos_has_none():
    photos, (text,) = shown(RGB[:3])
    assert photos == [None] * N
    assert "3 photos beside 4 targets" in text


@pytest.mark.parametrize("image", [5, "a.png", None, torch.tensor(1.0), torch.rand(N), torch.rand(N, 3), {}, object()])
def test_a_batch_of_what_is_no_photo_has_none(image):
    photos, warned = shown(image)
    assert photos == [None] * N
    assert len(warned) == 1


def test_the_photo_is_a_copy():
    images = RGB.clone(), list(RGB.clone()), RGB.numpy().copy()
    for each in images:
        photos = BatchPhotos(0, Photo(), expected=True)
        with photos._during("val", [each]):
            for image in each:
                image[...] = 0
        taken = photos.taken([each], N)
        assert same([taken.one(place, (H, W)) for place in range(N)])


# ---- volumes, and what is no image


def test_of_volumes_the_middle_slice_is_shown_with_the_score_of_the_whole():
    target = torch.randint(0, 3, (2, 8, 5, 7), generator=torch.Generator().manual_seed(0))
    preds = target.clone()
    preds[0, :, 0] = (preds[0, :, 0] + 1) % 3
    preds[1, :, 1:] = (preds[1, :, 1:] + 1) % 3
    photos = BatchPhotos(0, Photo(), expected=True).taken([target[:, None].to(torch.uint8) * 100], 2)
    samples = Samples(MeanIoU(3), 2, "worst")
    samples.update(preds, target, photos)
    for sample, place in zip(samples.lowest(), (1, 0), strict=True):
        assert sample.score == pytest.approx(float(MeanIoU(3)(preds[place], target[place])))
        assert np.array_equal(sample.label, target[place, :, 2])
        assert np.array_equal(sample.prediction, preds[place, :, 2])
        assert np.array_equal(sample.photo, target[place, :, 2, :, None].expand(-1, -1, 3) * 100)


class Pixels(Tiny):
    """Gives labels of single pixels, which are no image."""

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        found = super().validation_step(batch, batch_idx)
        return {"preds": found["preds"].flatten(2), "target": found["target"].flatten(1)}


def test_labels_that_are_no_image_warn_once():
    monitor = SegmentationMonitor(4, ignore_index=255, samples=2)
    with pytest.warns(
        UserWarning, match=r"target must be label maps \(N, H, W\), or volumes .* got shape \(3, 30\)"
    ) as caught:
        trainer(monitor).validate(Pixels(), loader(), verbose=False)
    assert len([each for each in caught if "label maps" in str(each.message)]) == 1


@pytest.mark.parametrize("stages", ["train", ["train", "train"]])
def test_samples_of_training_alone_raise(stages):
    with pytest.raises(
        ValueError, match=r"samples=3 shows images of validation and test, .* add one of them to stages"
    ):
        SegmentationMonitor(4, samples=3, stages=stages)
    SegmentationMonitor(4, samples=3, stages=["train", "test"])
