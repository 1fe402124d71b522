"""What tests.helpers.peers says of other systems, held to the systems themselves where they are installed."""

import warnings

import pytest
import torch

from tests.helpers import peers
from tests.helpers.peer_values import WEIGHTS, tensors
from tests.helpers.peers import EXAMPLE, WITHOUT_VOID


def package(name: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, exc_type=ImportError)


def drawn(clean: bool = False):
    """The example, and images at random."""
    yield WITHOUT_VOID if clean else EXAMPLE
    rng = torch.Generator().manual_seed(0)
    labels = torch.tensor([0, 1, 2, 3, 255])
    for _ in range(50):
        preds = torch.randint(0, 4 if clean else 5, (3, 7), generator=rng)
        target = torch.randint(0, 5, (3, 7), generator=rng)
        yield torch.stack([labels[preds], labels[target]], -1).tolist()


def one_hot(labels):
    return torch.stack([labels == c for c in range(5)], 1).float()


def numbers(scores):
    return pytest.approx([float(score) for score in scores], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("ignore_empty", [True, False])
@pytest.mark.parametrize("include_background", [True, False])
@pytest.mark.parametrize("reduction", ["mean", "mean_batch", "mean_channel"])
def test_monai(reduction, include_background, ignore_empty):
    monai = package("monai.metrics")
    choices = {"include_background": include_background, "ignore_empty": ignore_empty}
    for images in drawn():
        preds, target = tensors(images)
        kept = (target != 255)[:, None]
        for metric, formula in ((monai.MeanIoU, peers.iou), (monai.DiceMetric, peers.dice)):
            theirs = metric(reduction=reduction, **choices)
            theirs(one_hot(preds) * kept, one_hot(target) * kept)
            expected = peers.monai(images, 5, formula, reduction, **choices)
            assert theirs.aggregate().reshape(-1).tolist() == numbers(expected)


@pytest.mark.parametrize("ignore_index", [None, 0, 4])
def test_ignite(ignore_index):
    ignite = package("ignite.metrics")
    for images in drawn(clean=True):
        preds, target = tensors(images)
        for score, formula in ((ignite.IoU, peers.iou), (ignite.DiceCoefficient, peers.dice)):
            matrix = ignite.ConfusionMatrix(5)
            theirs = score(matrix, ignore_index=ignore_index).mean()
            matrix.update((one_hot(preds), target))
            assert [float(theirs.compute())] == numbers([peers.ignite(images, 5, formula, ignore_index)])


@pytest.mark.parametrize("kind", ["micro", "macro", "weighted"])
@pytest.mark.parametrize("imagewise", ["", "-imagewise"])
def test_segmentation_models_pytorch(kind, imagewise):
    smp = package("segmentation_models_pytorch.metrics.functional")
    weights = WEIGHTS if kind == "weighted" else []
    for images in drawn():
        areas = smp.get_stats(*tensors(images), mode="multiclass", num_classes=5, ignore_index=255)
        class_weights = [float(w) for w in weights] or None
        theirs = smp.iou_score(*areas, reduction=kind + imagewise, class_weights=class_weights)
        expected = peers.segmentation_models_pytorch(images, 5, kind + imagewise, weights)
        assert [float(theirs)] == numbers([expected])
