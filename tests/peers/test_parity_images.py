"""The settings that give the numbers of systems that average images or weigh instances; see tests.peers.test_parity."""

from fractions import Fraction as F

import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from torchmetrics import segmentation

from segiou import Dice, Imagewise, ImagewiseDice, ImagewiseIoU, InstanceIoU, LabelSet, MeanIoU
from tests.helpers import peers, strategies
from tests.helpers.peer_values import LOOSE, WEIGHTS, exactly, tensors, value
from tests.helpers.peers import EXAMPLE, INSTANCE_SIZE

IMAGES = strategies.images([*range(4), -1, 255], [*range(4), 255])
CITYSCAPES = LabelSet.of("cityscapes")
PERSON, CAR = F(INSTANCE_SIZE[24]), F(INSTANCE_SIZE[26])

# road 7, person 24, rider 25, car 26, caravan 29 and void 0, each with the id of its instance
STREET = [
    [(24, 24), (24, 24), (25, 24), (7, 24), (24, 24), (26, 26), (29, 26), (7, 7), (24, 7), (29, 7), (26, 0), (25, 24)]
]
INSTANCES = [[24001, 24001, 24001, 24001, 24002, 26001, 26001, 7, 7, 7, 0, 24]]  # the last is of a crowd


@pytest.mark.parametrize(
    ("found", "by_hand"),
    [
        (peers.monai(EXAMPLE, 5, peers.iou, "mean"), [(F(1, 2) + F(1, 2)) / 2]),  # (2/3 + 1/3) / 2, 1/2
        (peers.monai(EXAMPLE, 5, peers.iou, "mean_channel"), [F(1, 2), F(1, 2)]),
        (
            peers.monai(EXAMPLE, 5, peers.iou, "mean_batch"),
            [F(7, 12), F(5, 12), F(1, 2), 0, 0],
        ),  # 7/12 = (2/3 + 1/2) / 2
        (peers.monai(EXAMPLE, 5, peers.iou, "mean", include_background=False), [(F(1, 3) + F(1, 2)) / 2]),
        (
            peers.monai(EXAMPLE, 5, peers.iou, "mean_channel", ignore_empty=False),
            [(F(2, 3) + F(1, 3) + 1 + 0 + 1) / 5, (F(1, 2) + F(1, 2) + F(1, 2) + 1 + 1) / 5],
        ),
        (peers.monai(EXAMPLE, 5, peers.dice, "mean_channel"), [(F(4, 5) + F(2, 4)) / 2, F(2, 3)]),
        (peers.segmentation_models_pytorch(EXAMPLE, 5, "micro"), F(6, 13)),
        (peers.segmentation_models_pytorch(EXAMPLE, 5, "macro"), (F(3, 5) + F(2, 5) + F(1, 2) + 0 + 1) / 5),
        (peers.segmentation_models_pytorch(EXAMPLE, 5, "weighted", WEIGHTS), F(24 + 16 + 10, 100)),
        (peers.segmentation_models_pytorch(EXAMPLE, 5, "micro-imagewise"), (F(3, 7) + F(3, 6)) / 2),
        (peers.segmentation_models_pytorch(EXAMPLE, 5, "macro-imagewise"), (F(3, 5) + F(7, 10)) / 2),
        (
            peers.segmentation_models_pytorch(EXAMPLE, 5, "weighted-imagewise", WEIGHTS),
            (F(7, 12) * F(4, 10) + F(5, 12) * F(4, 10) + F(3, 4) * F(2, 10)) / 5,  # 3/4 = (1 + 1/2) / 2
        ),
        (peers.fine_grained(EXAMPLE, 5), {"D": F(3, 8), "I": F(1, 2), "C": (F(7, 12) + F(5, 12) + F(1, 2)) / 3}),
        (
            peers.fine_grained(EXAMPLE, 5, worst=50),  # of two images one, of the one image that has class 2 that one
            {"D": F(3, 8), "I": F(1, 2), "C": (F(1, 2) + F(1, 3) + F(1, 2)) / 3},
        ),
        (
            peers.fine_grained_of_two([[(1, 1), (0, 1)], [(0, 0), (1, 255)], [(1, 0), (0, 0)]], worst=67),
            {"D": F(1, 3), "I": (F(0) + F(1, 2)) / 2},  # 1/2, 1 and 0
        ),
        (
            peers.cityscapes_instances(STREET, INSTANCES),
            (
                # person: half of one and one are right, a false alarm on the road; rider: two false alarms alone
                (PERSON * F(3, 2) / (2 * PERSON + 1) + 0 + CAR / 2 / CAR) / 3,
                # human: 3/4 of one and one; vehicle: the caravan is right in the car, and a false alarm on the road
                (PERSON * F(7, 4) / (2 * PERSON + 1) + CAR / (CAR + 1)) / 2,
            ),
        ),
    ],
)
def test_the_peers_by_hand(found, by_hand):
    assert found == by_hand


def monai_settings(ignore_empty: bool, include_background: bool) -> dict:
    empty = {"absent_if": "target"} if ignore_empty else {"absent_if": "union", "absent": 1.0}
    return {**empty, "exclude": () if include_background else 0, **LOOSE}


@example(images=EXAMPLE, ignore_empty=True, include_background=True)
@example(images=EXAMPLE, ignore_empty=False, include_background=False)
@given(images=IMAGES, ignore_empty=st.booleans(), include_background=st.booleans())
def test_monai(images, ignore_empty, include_background):
    choices = {"ignore_empty": ignore_empty, "include_background": include_background}
    settings = monai_settings(**choices)
    kept = slice(0 if include_background else 1, None)
    for imagewise, formula in ((ImagewiseIoU, peers.iou), (ImagewiseDice, peers.dice)):
        expected = {r: peers.monai(images, 5, formula, r, **choices) for r in ("mean", "mean_batch", "mean_channel")}
        mean = imagewise(5, keep_images=True, **settings)
        assert mean(*tensors(images)).nan_to_num(0).tolist() == exactly(expected["mean"][0])
        of_images = mean.images().values.nan_to_num(0)
        assert of_images.tolist() == pytest.approx([float(x) for x in expected["mean_channel"]])
        of_channels = imagewise(5, average="none", **settings)(*tensors(images)).nan_to_num(0)
        assert of_channels[kept].tolist() == pytest.approx([float(x) for x in expected["mean_batch"]])


@example(images=EXAMPLE)
@given(images=IMAGES)
def test_segmentation_models_pytorch(images):
    whole = {average: MeanIoU(5, average=average, absent=1.0, **LOOSE) for average in ("micro", "macro", "none")}
    weights = torch.tensor([float(w) for w in WEIGHTS])

    def expected(reduction):
        own = WEIGHTS if reduction.startswith("weighted") else []
        return exactly(peers.segmentation_models_pytorch(images, 5, reduction, own))

    assert value(MeanIoU(5, average="micro", **LOOSE), images) == expected("micro")
    assert value(whole["macro"], images) == expected("macro")
    assert float((whole["none"](*tensors(images)) * weights).sum()) == expected("weighted")
    assert value(Imagewise(whole["micro"]), images) == expected("micro-imagewise")
    assert value(Imagewise(whole["macro"]), images) == expected("macro-imagewise")
    of_classes = Imagewise(whole["none"])(*tensors(images))
    assert float((of_classes * weights).sum()) / 5 == expected("weighted-imagewise")


def torchmetrics_images(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Class 4 is only predicted, class 5 is absent, and some images lack classes 2 and 3."""
    rng = torch.Generator().manual_seed(seed)
    target = torch.randint(0, 4, (6, 3, 4), generator=rng)
    target[:3] %= 2
    other = torch.randint(0, 5, target.shape, generator=rng)
    return torch.where(torch.rand(target.shape, generator=rng) < 0.6, target, other), target


@pytest.mark.parametrize("include_background", [True, False])
def test_torchmetrics_mean_iou_of_images(include_background):
    """Its mean is over all pairs of an image and a class that it has; a class that no image has is -1 there."""
    pytest.importorskip("torchmetrics", minversion="1.8")  # it scored batches before
    preds, target = torchmetrics_images()
    kept = slice(0 if include_background else 1, None)
    arguments = {"include_background": include_background, "input_format": "index"}
    ours = Imagewise(MeanIoU(6), keep_images=True)
    ours.update(preds, target)
    theirs = segmentation.MeanIoU(6, **arguments)(preds, target)
    torch.testing.assert_close(ours.images().per_class[:, kept].nanmean(), theirs)
    theirs = segmentation.MeanIoU(6, per_class=True, **arguments)(preds, target)
    of_classes = Imagewise(MeanIoU(6, average="none"))(preds, target)
    torch.testing.assert_close(of_classes[kept].nan_to_num(-1), theirs)


@pytest.mark.filterwarnings("ignore:DiceScore metric currently defaults")
@pytest.mark.parametrize("include_background", [True, False])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted", "none"])
@pytest.mark.parametrize("level", ["samplewise", "global"])
def test_torchmetrics_dice_score(level, average, include_background):
    pytest.importorskip("torchmetrics", minversion="1.8")  # aggregation_level is new there
    preds, target = torchmetrics_images()
    arguments = {"include_background": include_background, "average": average, "aggregation_level": level}
    theirs = segmentation.DiceScore(6, input_format="index", **arguments)(preds, target)
    metric = Dice(6, average=average, exclude=() if include_background else 0)
    ours = (Imagewise(metric) if level == "samplewise" else metric)(preds, target)
    ours = ours[1:] if average == "none" and not include_background else ours
    torch.testing.assert_close(ours, theirs, equal_nan=True)


@example(images=EXAMPLE, worst=50)
@example(images=[*EXAMPLE, [(0, 1)] * 6], worst=50)  # of three images one
@given(images=IMAGES, worst=st.sampled_from([None, 1, 34, 50, 100]))
def test_fine_grained_iou(images, worst):
    expected = peers.fine_grained(images, 5, 100 if worst is None else worst)
    assert value(MeanIoU(5, **LOOSE), images) == exactly(expected["D"])
    assert value(ImagewiseIoU(5, worst=worst, **LOOSE), images) == exactly(expected["I"])
    assert value(ImagewiseIoU(5, over="classes", worst=worst, **LOOSE), images) == exactly(expected["C"])


@given(images=strategies.images([0, 1], [0, 1, 255]), worst=st.sampled_from([None, 34, 50]))
def test_fine_grained_iou_of_two_classes(images, worst):
    assume(all(any(t != 255 for _, t in image) for image in images))  # theirs leaves out an image that is all ignored
    expected = peers.fine_grained_of_two(images, 100 if worst is None else worst)
    arguments = {"task": "binary", "ignore_index": 255}
    assert value(MeanIoU(**arguments), images) == exactly(expected["D"])
    of_images = ImagewiseIoU(absent_if="union", absent=1.0, worst=worst, **arguments)
    assert value(of_images, images) == exactly(expected["I"])


def instance_scores(images, names, labels="cityscapes", **arguments) -> float:
    preds, target = (LabelSet.of(labels).encode(part) for part in tensors(images))
    metric = InstanceIoU(labels, first_id=1000, validate_args=False, **arguments)
    metric.update(preds, target, torch.tensor(names))
    return float(metric.compute())


WITH_CARAVANS = LabelSet(
    "with caravans",
    [*CITYSCAPES.class_names, "caravan", "trailer"],
    ignore_index=[255, 19, 20],
    ids={**CITYSCAPES.ids, 29: "caravan", 30: "trailer"},
    groups={"human": ["person", "rider"], "vehicle": [*range(13, 19), "caravan", "trailer"]},
    instance_sizes={**CITYSCAPES.instance_sizes, "caravan": 36771.8241758242, "trailer": 16926.9763313609},
)


@st.composite
def streets(draw):
    """Images of raw ids, and an instance or none for each pixel of a class that has them."""
    images = draw(strategies.images([7, 24, 25, 26, 33, 29, 0], [7, 24, 25, 26, 29, 0]))
    number = st.sampled_from([None, 0, 1])
    names = [[t if t in (7, 0) or (k := draw(number)) is None else 1000 * t + k for _, t in image] for image in images]
    return images, names


@example(street=(STREET, INSTANCES))
@given(street=streets())
def test_cityscapes_instances(street):
    """A predicted caravan is a vehicle in the iIoU of categories, and no class in all else."""
    images, names = street
    classes, categories = peers.cityscapes_instances(images, names)
    assert instance_scores(images, names) == exactly(classes)
    assert instance_scores(images, names, WITH_CARAVANS, groups=True) == exactly(categories)
    images = [[(0 if p == 29 else p, t) for p, t in image] for image in images]
    assert instance_scores(images, names, groups=True) == exactly(peers.cityscapes_instances(images, names)[1])


def test_a_score_at_the_threshold_is_positive_in_segmentation_models_pytorch():
    """There scores of at least the threshold are positive, here those above it."""
    scores, target = torch.tensor([[0.25, 0.5, 0.75]]), torch.tensor([[0, 1, 1]])
    assert float(MeanIoU(task="binary")(scores, target)) == 1 / 2
    below = float(torch.nextafter(torch.tensor(0.5), torch.tensor(0.0)))
    assert float(MeanIoU(task="binary", threshold=below)(scores, target)) == 1


def test_overlapping_channels_of_monai_are_labels():
    """Regions that hold one another, two images; the second has no core: (1/2 + 1) / 2 and 2/3."""
    preds = torch.tensor([[[1, 1, 0, 0], [1, 0, 0, 0]], [[1, 1, 0, 0], [0, 0, 0, 0]]])
    target = torch.tensor([[[1, 1, 1, 1], [1, 0, 0, 0]], [[1, 1, 1, 0], [0, 0, 0, 0]]])
    found = ImagewiseIoU(task="multilabel", num_labels=2, absent_if="target")(preds, target)
    assert float(found) == exactly((F(3, 4) + F(2, 3)) / 2)
    dice = Imagewise(Dice(task="multilabel", num_labels=2, average="none", absent_if="target"))(preds, target)
    assert dice.tolist() == pytest.approx([(2 / 3 + 4 / 5) / 2, 1])
