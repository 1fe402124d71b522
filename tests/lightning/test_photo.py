"""How photos are brought back to red, green and blue: channels, layout and range."""

import numpy as np
import pytest
import torch

from segiou.lightning.photo import Photo
from segiou.lightning.photo_layout import channels_first, middle_slice


def test_photos_are_brought_back_by_mean_and_std_or_by_their_own_range():
    photo = torch.rand(2, 3, 4, 4)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.1)
    normalised = (photo - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    shown = Photo(mean=mean, std=std).shown(normalised)
    assert torch.equal(shown, (photo * 255).round().to(torch.uint8))
    assert torch.equal(Photo().shown(photo), shown), "fractions are shown as they are"
    stretched = Photo().shown(normalised).int()
    assert stretched.amin((1, 2, 3)).tolist() == [0, 0]
    assert stretched.amax((1, 2, 3)).tolist() == [255, 255]


def test_bands_are_chosen_and_one_is_grey():
    images = torch.rand(1, 8, 3, 3)
    chosen = Photo(bands=(5, 0, 2)).shown(images)
    assert torch.equal(chosen, (images[:, [5, 0, 2]] * 255).round().to(torch.uint8))
    grey = Photo(bands=(4,)).shown(images)
    assert torch.equal(grey[:, 0], grey[:, 2])
    assert Photo().shown(images[:, :2]).shape == (1, 3, 3, 3)


def test_means_of_pixels_up_to_255_and_photos_that_nothing_was_subtracted_of():
    ramp = torch.arange(256.0).repeat(3, 2, 1)[None]
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    normalized = (ramp - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    assert torch.equal(Photo(None, mean, std).shown(normalized), ramp.to(torch.uint8))
    fractions = tuple(value / 255 for value in mean), tuple(value / 255 for value in std)
    assert torch.equal(Photo(None, *fractions).shown(normalized), ramp.to(torch.uint8))
    assert torch.equal(Photo(None, *fractions).shown(ramp.to(torch.uint8)), ramp.to(torch.uint8))


def test_photos_of_many_pixels_and_of_bytes_are_shown():
    assert Photo().shown(torch.randn(2, 3, 2000, 3000)).shape == (2, 3, 2000, 3000)
    photos = torch.randint(0, 256, (1, 3, 4, 4), dtype=torch.uint8)
    assert torch.equal(Photo().shown(photos), photos)


def test_one_value_is_that_of_every_channel():
    images = torch.rand(1, 3, 4, 4)
    assert torch.equal(Photo(mean=0.5, std=0.5).shown(images * 2 - 1), (images * 255).round().to(torch.uint8))
    assert Photo(bands=2, mean=0.5, std=np.float32(0.5)) == Photo((2,), (0.5,), (0.5,))


@pytest.mark.parametrize("kind", [list, tuple, np.asarray, torch.tensor, lambda values: map(float, values)])
def test_mean_and_std_are_any_numbers(kind):
    how = Photo(mean=kind([0.5, 0.25, 1.0]), std=kind([1.0, 2.0, 0.5]))
    assert how == Photo(mean=(0.5, 0.25, 1.0), std=(1.0, 2.0, 0.5))
    assert {type(value) for value in (*how.mean, *how.std)} == {float}


@pytest.mark.parametrize("kind", [list, np.asarray, torch.tensor])
def test_bands_are_any_integers_and_may_repeat(kind):
    how = Photo(bands=kind([3, 0, 3]))
    assert how.bands == (3, 0, 3)
    assert {type(band) for band in how.bands} == {int}


BAD = [
    ({"mean": "0.5", "std": 0.5}, TypeError, "mean must be a number, or a list of one for each channel, got '0.5'"),
    ({"mean": ["0.5"] * 3, "std": 0.5}, TypeError, "mean must be a number"),
    ({"mean": 0.5, "std": [0.5, None, 0.5]}, TypeError, "std must be a number"),
    ({"mean": [[0.5] * 3], "std": 0.5}, TypeError, "mean must be a number"),
    ({"mean": np.zeros((3, 1, 1)), "std": 0.5}, TypeError, "mean must be a number"),
    ({"mean": {0.1, 0.2, 0.3}, "std": 0.5}, TypeError, "mean must be a number"),
    ({"mean": [], "std": 0.5}, TypeError, "mean must be a number"),
    ({"mean": 0.5, "std": True}, TypeError, "std must be a number"),
    ({"mean": [0.5, float("nan"), 0.5], "std": 0.5}, ValueError, "mean must hold finite numbers"),
    ({"mean": 0.5, "std": float("inf")}, ValueError, "std must hold finite numbers"),
    ({"mean": 0.5, "std": [0.5, 0.0, 0.5]}, ValueError, "std must be what each channel was divided by, above 0"),
    ({"mean": 0.5, "std": -1}, ValueError, "std must be what each channel was divided by, above 0"),
    ({"mean": 0.5}, ValueError, "mean and std go together, got mean=0.5 and std=None: pass both"),
    ({"mean": [0.5, 0.5], "std": 0.5}, ValueError, "mean must be one value for all .*, 1 or 3 values, got 2"),
    ({"mean": 0.5, "std": [0.5] * 3, "bands": 4}, ValueError, "std must be one value for all .*, 1 values, got 3"),
    ({"bands": "012"}, TypeError, "bands must be an int, several ints or None, got '012'"),
    ({"bands": [0, 1, None]}, TypeError, "bands must be an int"),
    ({"bands": [0.0, 1.0, 2.0]}, TypeError, "bands must be an int"),
    ({"bands": [[0, 1, 2]]}, TypeError, "bands must be an int"),
    ({"bands": True}, TypeError, "bands must be an int"),
    ({"bands": {3, 2, 1}}, TypeError, "bands must be a list of channels, in the order red, green and blue"),
    ({"bands": [0, 1]}, ValueError, "bands must be one channel or three, from 0 on"),
    ({"bands": []}, ValueError, "bands must be one channel or three, from 0 on"),
    ({"bands": [0, 1, -1]}, ValueError, "bands must be one channel or three, from 0 on"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD)
def test_arguments_that_no_photo_can_have_raise(arguments, error, message):
    with pytest.raises(error, match=message):
        Photo(**arguments)


# ---- the range


def scene(size: int = 200) -> torch.Tensor:
    """Grey from 600 to 1400 with some noise."""
    y, x = torch.meshgrid(torch.arange(size) / 23, torch.arange(size) / 17, indexing="ij")
    noise = torch.randn(size, size, generator=torch.Generator().manual_seed(0)) * 10
    return 1000 + 400 * torch.sin(x) * torch.cos(y) + noise


def of_the_scene(photo: torch.Tensor, part: slice = slice(80, None)) -> torch.Tensor:
    """What is shown of some rows of a grey photo."""
    return Photo().shown(photo[None, None])[0, 0, part].float()


NOWHERE = [-9999.0, 0.0, 65535.0, float("nan"), float("inf"), -float("inf"), 3e38]


@pytest.mark.parametrize("value", NOWHERE)
@pytest.mark.parametrize("share", [0.04, 0.4])
def test_missing_data_takes_no_contrast_of_the_others(value, share):
    photo = scene()
    photo[: int(len(photo) * share)] = value
    shown, whole = of_the_scene(photo), of_the_scene(scene())
    assert shown.std() > 0.5 * whole.std() > 30
    above = of_the_scene(photo, slice(0, 8))
    assert above.unique().tolist() == [255.0 if value > 1400 else 0.0]


def test_several_kinds_of_missing_data_take_no_contrast():
    photo = scene()
    photo[:60], photo[60:70], photo[70:75], photo[75:80] = float("nan"), -9999, float("inf"), -float("inf")
    assert of_the_scene(photo).std() > 0.5 * of_the_scene(scene()).std()


@pytest.mark.parametrize("size", [600, 1300])
def test_a_scan_within_zeros_is_shown(size):
    """Of 1300 pixels a side 98 % are zero."""
    photo = torch.zeros(size, size)
    photo[:200, :200] = scene()
    shown = of_the_scene(photo, slice(0, 200))[:, :200]
    assert shown.std() > 20
    assert shown.min() > of_the_scene(photo, slice(300, None)).max() == 0


def test_what_is_small_in_a_photo_of_one_value_is_seen():
    photo = torch.full((512, 512), 7.0)
    photo[200:203, 301:304] = 9  # between the values from which the range is estimated
    shown = of_the_scene(photo, slice(None))
    assert shown[201, 302] == 255
    assert shown[0, 0] == 0


def test_few_values_stay_apart():
    for levels in (2, 3, 8):
        photo = (torch.arange(240) * levels // 240 * 100).expand(240, 240)
        found = of_the_scene(photo, slice(None)).unique()
        assert len(found) == levels
        assert [float(found[0]), float(found[-1])] == [0, 255]


def test_single_pixels_take_no_contrast():
    photo = scene()
    photo[3, ::50] = 1e6
    assert of_the_scene(photo).std() > 0.8 * of_the_scene(scene()).std()


def test_photos_of_one_value_are_grey_and_those_of_none_black():
    assert Photo().shown(torch.full((1, 3, 4, 4), 700.0)).unique().tolist() == [128]
    assert Photo().shown(torch.full((1, 3, 4, 4), float("nan"))).unique().tolist() == [0]


def test_each_photo_of_a_batch_has_its_own_range():
    batch = torch.stack([scene(), scene() * 40 - 9, scene() / 2000, torch.full((200, 200), -3.0)])[:, None]
    together = Photo().shown(batch)
    assert torch.equal(together, torch.cat([Photo().shown(photo[None]) for photo in batch]))
    assert (together[0].int() - together[1].int()).abs().max() <= 1


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.uint32, np.int64, np.float16, np.float64])
def test_photos_of_any_numbers_are_shown(dtype):
    photo = torch.from_numpy(scene().numpy().astype(dtype))
    assert (of_the_scene(photo) - of_the_scene(scene())).abs().max() <= 2


@pytest.mark.parametrize(("mean", "std", "white"), [(0.0, 255.0, 255.0), (127.5, 127.5, 255.0), (0.5, 0.5, 1.0)])
def test_the_range_is_told_by_mean_and_std(mean, std, white):
    ramp = torch.linspace(0, white, 256).repeat(1, 3, 2, 1)
    shown = Photo(mean=mean, std=std).shown((ramp - mean) / std)
    assert torch.equal(shown[0, 0, 0], torch.arange(256).to(torch.uint8))


def test_pixels_beyond_255_are_stretched_after_they_are_brought_back():
    photo = scene().expand(1, 3, -1, -1)
    shown = Photo(mean=1000.0, std=400.0).shown((photo - 1000) / 400)
    assert (shown.float() - Photo().shown(photo).float()).abs().max() <= 1


def test_missing_data_is_black_with_mean_and_std():
    photo = torch.zeros(1, 3, 2, 2)
    photo[..., 0, 0] = float("nan")
    assert Photo(mean=0.5, std=0.5).shown(photo)[0, 0].tolist() == [[0, 128], [128, 128]]


# ---- where the channels are

CHANNELS = [
    ((7, 3, 6, 5), (6, 5), "first"),
    ((7, 6, 5, 3), (6, 5), "last"),
    ((7, 6, 5), (6, 5), "grey"),
    ((7, 13, 60, 50), (60, 50), "first"),
    ((7, 60, 50, 13), (60, 50), "last"),
    ((7, 60, 50, 42), (60, 50), "last"),  # that 50x42 has the proportions is no more than chance
    ((7, 5, 5, 5), (5, 5), "first"),  # either: as torch has it
    ((7, 3, 480, 640), (120, 160), "first"),
    ((7, 480, 640, 3), (121, 161), "last"),  # of other sizes the proportions tell
    ((7, 480, 640), (120, 160), "grey"),
    ((7, 3, 572, 600), (388, 388), "first"),  # nothing fits
    ((7, 512, 512, 512), (512, 512), "first"),
    ((7, 1, 9, 6, 5), (9, 6, 5), "first"),
    ((7, 9, 6, 5, 2), (9, 6, 5), "last"),
    ((7, 9, 6, 5), (9, 6, 5), "grey"),
]


@pytest.mark.parametrize(("shape", "size", "where"), CHANNELS)
def test_the_label_map_tells_where_the_channels_are(shape, size, where):
    photos = torch.rand(shape)
    expected = {"first": photos, "last": photos.movedim(-1, 1), "grey": photos[:, None]}[where]
    assert torch.equal(channels_first(photos, size), expected)


@pytest.mark.parametrize("shape", [(7, 6), (7, 3, 4), (7, 2, 3, 6, 5)])
def test_photos_of_other_axes_raise(shape):
    with pytest.raises(ValueError, match=r"photos of label maps of \(6, 5\) must be .* got shape \(7, "):
        channels_first(torch.rand(shape), (6, 5))


def test_photos_are_shown_in_the_size_of_their_label_map():
    photos = torch.rand(2, 12, 10, 3)
    shown = Photo().of_maps(photos, (6, 5), (6, 5))
    means = photos.view(2, 6, 2, 5, 2, 3).mean((2, 4)).permute(0, 3, 1, 2) * 255
    assert (shown - means).abs().max() <= 1


def test_of_a_volume_the_middle_slice_across_the_shortest_axis_is_shown():
    volumes = torch.rand(2, 8, 5, 7)
    assert torch.equal(middle_slice(volumes, (8, 5, 7)), volumes[:, :, 2])
    assert torch.equal(middle_slice(volumes, (5, 5, 7)), volumes[:, 4])
    expected = (volumes[:, None, :, 2].expand(-1, 3, -1, -1) * 255).round().to(torch.uint8)
    for photos in (volumes, volumes[:, None], volumes[..., None]):
        assert torch.equal(Photo().of_maps(photos, (8, 5, 7), (8, 7)), expected)


@pytest.mark.parametrize(
    ("how", "channels"), [(Photo(bands=4), 4), (Photo(bands=(0, 1, 3)), 3), (Photo(mean=[0.5] * 3, std=0.5), 1)]
)
def test_too_few_channels_raise(how, channels):
    with pytest.raises(ValueError, match=f"shape \\(1, {channels}, 2, 2\\)"):
        how.shown(torch.rand(1, channels, 2, 2))
