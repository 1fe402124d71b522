"""plot() on every metric, by torchmetrics' convention."""

import matplotlib.pyplot as plt
import pytest
import torch

import segiou
from tests.helpers.metric_cases import TASKS, batch, build, every_case

pytestmark = pytest.mark.usefixtures("_closed_figures")


@every_case
def test_every_metric_plots_its_state_and_a_given_value(metric, task, tmp_path):
    m = build(metric, **TASKS[task])
    value = m(*batch(task))
    for given in (None, value):
        fig, ax = m.plot(given)
        assert isinstance(fig, plt.Figure)
        fig.savefig(tmp_path / "plot.png")
        assert (tmp_path / "plot.png").stat().st_size > 2000
    if not isinstance(m, segiou.ConfusionMatrix | segiou.ThresholdSweep):
        fig, ax = m.plot([value, value, value])
        assert len(ax.lines) >= 1


def test_bars_are_the_scores_with_their_names():
    metric = segiou.MeanIoU(3, class_names=["road", "car", "sky"])
    metric.update(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1]))
    _, ax = metric.plot()
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([1 / 2, 2 / 3, 0])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["road", "car", "sky"]
    assert [text.get_text() for text in ax.texts] == ["0.500", "0.667", "absent"]
    assert ax.get_legend().get_texts()[0].get_text() == "mIoU 0.5833"


def test_bars_of_classes_that_are_not_in_the_mean_say_so():
    metric = segiou.MeanIoU(task="binary", class_names=["ground", "house"])
    metric.update(torch.tensor([0, 1]), torch.tensor([0, 1]))
    _, ax = metric.plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["ground (not in the mean)", "house"]
    assert ax.patches[0].get_facecolor() != ax.patches[1].get_facecolor()


def test_an_axis_that_is_given_is_drawn_on():
    _, axes = plt.subplots(1, 2)
    for metric, ax in zip((segiou.MeanIoU(3), segiou.ConfusionMatrix(3)), axes, strict=True):
        metric.update(torch.tensor([0, 1]), torch.tensor([0, 1]))
        none, drawn = metric.plot(ax=ax)
        assert none is None
        assert drawn is ax


def test_the_heat_map_shows_counts_and_names():
    metric = segiou.ConfusionMatrix(2, class_names=["road", "car"])
    metric.update(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]))
    _, ax = metric.plot()
    assert [text.get_text() for text in ax.texts] == ["1", "1", "1"]  # and nothing for 0
    assert [label.get_text() for label in ax.get_xticklabels()] == ["road", "car"]
    assert ax.get_xlabel() == "predicted"
    assert ax.get_ylabel() == "target"


def test_shares_are_coloured_as_they_are():
    metric = segiou.ConfusionMatrix(2, normalize="pred")
    metric.update(torch.tensor([0, 1, 1, 1]), torch.tensor([0, 0, 1, 1]))
    _, ax = metric.plot()
    assert ax.images[0].get_array().tolist() == metric.compute().tolist()


def test_names_are_not_read_as_mathematics(tmp_path):
    names = ["$a^$", "$b"]
    for metric in (segiou.ConfusionMatrix(2, class_names=names), segiou.MeanIoU(2, class_names=names)):
        metric.update(torch.tensor([0, 1]), torch.tensor([0, 1]))
        fig, ax = metric.plot()
        fig.savefig(tmp_path / "plot.png")  # where names are read
        assert [label.get_text() for label in ax.get_yticklabels()] == [r"\$a^\$", r"\$b"]


def test_values_that_do_not_fit_the_classes_are_refused():
    with pytest.raises(ValueError, match=r"the matrix must be of 3 x 3 for 3 names, got shape \(4, 4\)"):
        segiou.ConfusionMatrix(3).plot(torch.zeros(4, 4))
    with pytest.raises(ValueError, match="val must hold a score for each of the 3 classes, got 2"):
        segiou.MeanIoU(3).plot(torch.zeros(2))


def test_many_classes_stay_readable():
    metric = segiou.ConfusionMatrix(150)
    labels = torch.randint(0, 150, (5000,))
    metric.update(labels, labels)
    _, ax = metric.plot()
    assert not ax.texts
    assert len(ax.get_xticks()) <= 50


@pytest.mark.parametrize(
    ("value", "text"), [(7, "7"), (999, "999"), (9999, "9999"), (25_300, "25k"), (3.2e6, "3.2M"), (5e12, "5T")]
)
def test_counts_are_short(value, text):
    from segiou.plots import _short

    assert _short(value, share=False) == text


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    metric = segiou.MeanIoU(2)
    metric.update(torch.tensor([0]), torch.tensor([0]))
    with pytest.raises(ModuleNotFoundError, match=r'pip install "segiou\[plot\]"'):
        metric.plot()
