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


def test_results_over_time_are_lines_with_the_names_of_the_classes_beside_the_axes(tmp_path):
    names = [f"class {i}" for i in range(12)]
    metric = segiou.MeanIoU(12, class_names=names, average="none")
    results = [torch.rand(12) for _ in range(4)]
    fig, ax = metric.plot(results)
    assert [line.get_label() for line in ax.lines] == names
    assert ax.lines[3].get_ydata() == pytest.approx([float(result[3]) for result in results])
    fig.savefig(tmp_path / "plot.png")
    renderer = fig.canvas.get_renderer()
    assert not ax.get_legend().get_window_extent(renderer).overlaps(ax.get_window_extent(renderer))
    _, alone = segiou.MeanIoU(3).plot([torch.tensor(0.5), torch.tensor(0.75)])
    assert alone.lines[0].get_ydata() == pytest.approx([0.5, 0.75])
    assert alone.get_ylabel() == "mIoU"
    _, scores = segiou.SegmentationMetrics(3).plot([{"mIoU": 0.5, "Dice": 0.6}, {"mIoU": 0.7, "Dice": 0.8}])
    assert [line.get_label() for line in scores.lines] == ["mIoU", "Dice"]


def test_a_single_score_is_a_bar():
    metric = segiou.PixelAccuracy(2)
    metric.update(torch.tensor([0, 1, 1, 1]), torch.tensor([0, 1, 1, 0]))
    for _, ax in (metric.plot(), metric.plot(metric.compute())):
        assert [bar.get_width() for bar in ax.patches] == [0.75]
        assert [label.get_text() for label in ax.get_yticklabels()] == ["PixelAccuracy"]
    imagewise = segiou.ImagewiseIoU(2)
    imagewise.update(torch.tensor([[0, 1]]), torch.tensor([[0, 1]]))
    _, ax = imagewise.plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["mIoU_I"]


def test_images_that_were_kept_are_a_histogram():
    metric = segiou.ImagewiseIoU(2, keep_images=True)
    target = torch.randint(0, 2, (30, 5, 5))
    metric.update(torch.where(torch.rand(30, 5, 5) < torch.rand(30, 1, 1), 1 - target, target), target)
    _, ax = metric.plot()
    assert sum(bar.get_height() for bar in ax.patches) == 30
    assert ax.get_legend().get_texts()[0].get_text() == f"mIoU_I {float(metric.compute()):.4f}"


def test_a_narrow_interval_is_drawn_over_its_dot():
    from segiou.plots import intervals

    _, ax = intervals({"mIoU": (0.5, 0.4999, 0.5001)}, "95 % interval", None)
    assert [line.get_marker() for line in ax.lines] == ["None", "o", "|"]
    assert ax.lines[-1].get_xdata() == pytest.approx([0.4999, 0.5001])


def test_a_class_without_instances_says_so():
    metric = segiou.InstanceIoU(2, class_names=["road", "car"])
    metric.update(torch.tensor([[0, 1]]), torch.tensor([[0, 1]]), torch.tensor([[0, 7]]))
    _, ax = metric.plot()
    assert [text.get_text() for text in ax.texts] == ["no instances", "1.000"]
