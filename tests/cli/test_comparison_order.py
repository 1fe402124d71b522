"""The order in which a comparison names images, classes and groups, and what it calls better and worse."""

from types import SimpleNamespace

import pytest
import torch

from segiou.cli.console import _difference_cells, image_differences, show_comparison
from segiou.cli.terminal import console
from segiou.metrics.image_means import ImageScores
from segiou.metrics.intervals import Comparison, Interval

NAN = float("nan")
IMAGES = {"gain": (0.5, 0.625), "loss": (0.75, 0.25), "a tie": (0.25, 0.375), "same": (0.5, 0.5), "none": (NAN, 0.5)}


def images(model):
    values = torch.tensor([pair[model] for pair in IMAGES.values()])
    return ImageScores(list(IMAGES), values, values[:, None])


def comparison(difference, low, high, p_value=0.01):
    number = torch.tensor
    of_a = Interval(number(0.5), number(0.4), number(0.6))
    return Comparison(of_a, of_a, Interval(number(difference), number(low), number(high)), number(p_value))


def outcome():
    return SimpleNamespace(
        results=[SimpleNamespace(images=images(model)) for model in (0, 1)],
        differences={
            "mIoU": comparison(0.0, -0.1, 0.1),
            "IoU/worse": comparison(-0.25, -0.5, -0.125),
            "IoU/absent": comparison(NAN, NAN, NAN),
            "IoU/better": comparison(0.25, 0.125, 0.5),
            "IoU/alike": comparison(0.0, -0.1, 0.1),
        },
        group_differences={},
    )


def test_images_are_sorted_by_the_size_of_the_difference_and_then_by_name():
    rows = image_differences(outcome())
    assert [row["name"] for row in rows] == ["loss", "a tie", "gain", "same"]
    assert (rows[0]["a"], rows[0]["b"]) == (0.75, 0.25)


def test_classes_are_sorted_by_their_gain_and_those_without_a_score_come_last(capsys):
    show_comparison(console(), outcome(), 1)
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[0] for line in lines if line.strip().startswith(("IoU/", "mIoU "))]
    assert names == ["mIoU", "IoU/better", "IoU/alike", "IoU/worse", "IoU/absent"]
    assert [line.split() for line in lines][-1] == ["0.7500", "to", "0.2500", "(-0.5000)", "loss"]


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.125, 0.5, "better"), (0.0, 0.5, ""), (-0.5, 0.0, ""), (-0.5, -0.125, "worse"), (NAN, NAN, "")],
)
def test_a_bound_at_0_is_no_difference(low, high, verdict):
    assert _difference_cells(comparison(0.25, low, high))[-1] == verdict


@pytest.mark.parametrize("p_value", [0.0625, NAN])
def test_no_difference_of_few_images_is_called_one(p_value):
    """Of four images none can have a p below 1/8, however far from 0 the interval is."""
    assert _difference_cells(comparison(0.25, 0.125, 0.5, p_value))[-1] == ""
    assert _difference_cells(comparison(0.25, 0.125, 0.5, 0.049))[-1] == "better"


def test_alike_images_are_not_named(capsys):
    show_comparison(console(), outcome(), 9)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines[-3:]] == ["loss", "tie", "gain"]
    assert "5 images: intervals of fewer than about 50 images are too narrow" in lines
