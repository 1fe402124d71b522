"""Parts of the page: curves over epochs, meanings of scores, and when n/a is explained."""

import math
import re

import numpy as np
import pytest
import torch

from segiou import MeanIoU
from segiou.metrics.image_means import ImageScores
from segiou.metrics.scores import SegmentationMetrics
from segiou.report import ComparedMaps, ComparisonReport, ImageChange, Report, WorstImage, render
from segiou.report.curves import HEIGHT, WIDTH, curves
from segiou.report.data import headline
from segiou.report.examples import choices_of, gallery, ranks_of
from segiou.report.line_breaks import breakable
from segiou.report.meanings import meaning
from tests.helpers.report_cases import EVIL, Page, page, report


def test_curves_go_through_the_values():
    (curve,) = curves({"mIoU": [0.0, 0.5, 1.0]})
    assert curve.lines == [f"0.0,{HEIGHT} {WIDTH / 2},{HEIGHT / 2} {WIDTH},0.0"]
    assert (curve.last, curve.best, curve.best_epoch, curve.dots) == (1.0, 1.0, 2, [])


def test_an_epoch_without_a_value_breaks_the_line():
    (curve,) = curves({"a": [0.2, 0.4, math.nan, 0.3, math.inf]})
    assert len(curve.lines) == 1
    assert len(curve.dots) == 1
    assert (curve.last, curve.best, curve.best_epoch) == (0.3, 0.4, 1)
    (empty,) = curves({"a": []})
    assert (empty.lines, empty.dots, empty.best_epoch) == ([], [], -1)
    assert "no value" in page(report(history={"a": [math.nan]})).text


def test_the_page_has_curves_where_there_is_a_history():
    html = render(report(history={"mIoU": [0.1, 0.7], f"IoU/{EVIL}": [0.1, 0.2]}))
    assert html.count("<polyline ") == 2
    assert EVIL not in html
    text = Page(html).text
    assert "last 0.7000, highest 0.7000 in epoch 1" in text
    assert "1 curve of classes" in text
    assert "<polyline " not in render(report())


def test_every_score_of_the_page_has_a_meaning():
    names = [*headline(SegmentationMetrics(3)), "mIoU_I", "mIoU_C", "BoundaryIoU", "IoU"]
    assert [name for name in names if not meaning(name)] == []


def test_what_is_not_on_the_page_is_not_explained():
    metric = MeanIoU(2)
    metric.update(torch.tensor([[0, 1]]), torch.tensor([[0, 1]]))
    assert "nothing to divide by" not in page(Report.of(metric)).text.replace("-: nothing to divide by", "")
    assert "n/a: nothing to divide by" in page(report()).text


def scored(values: list[float], per_class: list[list[float]] | None = None) -> ImageScores:
    return ImageScores(
        [f"i{place}" for place in range(len(values))], torch.tensor(values), torch.tensor(per_class or [[0.5]])
    )


def test_the_worst_best_median_and_random_images_are_chosen():
    images = scored([0.9, 0.1, math.nan, 0.5, 0.3, 0.7])
    found = choices_of(images, 1)
    assert (found["worst"], found["best"], found["median"]) == ([1], [0], [3])
    assert choices_of(images, 3) | {"random": []} == {
        "worst": [1, 4, 3],
        "best": [0, 5, 3],
        "median": [4, 3, 5],
        "random": [],
    }
    assert len({*choices_of(images, 3)["random"]} - {2}) == 3
    assert sorted(choices_of(images, 9)["random"]) == [0, 1, 3, 4, 5]
    assert choices_of(images, 0) == {"worst": [], "best": [], "median": [], "random": []}


def test_images_are_ranked_for_each_class():
    per_class = [[0.5, math.nan, math.nan], [0.1, 0.2, math.nan], [0.3, 0.1, math.nan]]
    ranks = ranks_of(scored([0.5, 0.1, 0.3], per_class), 2)
    assert [[place for place, _ in ranked] for ranked in ranks] == [[1, 2], [2, 1], []]
    assert [score for _, score in ranks[1]] == torch.tensor([0.1, 0.2]).tolist()


def test_an_image_that_is_chosen_twice_is_drawn_once():
    of = report()
    best = [of.worst[0]._replace(name="another"), of.worst[0]]
    shown = gallery(report(examples={"best": best}))
    assert shown.choices == {"worst": [0, 1], "best": [2, 0]}
    assert [image.name for image in shown.figures] == [of.worst[0].name, of.worst[1].name, "another"]
    assert shown.present == [[0, 1, 2]] * 3
    ranked = {name: place for name, _, place in shown.ranks[0]}
    assert ranked[of.worst[0].name] == 0
    assert None in ranked.values()


def test_groups_are_shown_below_the_classes():
    metric = MeanIoU(4, groups={"ways": [0, 2], "rest": [1, 3]})
    metric.update(torch.tensor([[0, 1, 2, 3]]), torch.tensor([[0, 2, 2, 3]]))
    assert "group" not in page(report()).tables
    tables = page(report(groups=metric.table())).tables
    assert [row[:3] for row in tables["group-table"][1:-1]] == [["0", "ways", "0.6667"], ["1", "rest", "0.5000"]]
    assert len(tables["class-table"]) == 6


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "num_classes is needed to show label maps, such as those of 'x'"),
        ({"num_classes": 2, "palette": [(0, 0, 0)]}, "palette must hold a colour for each of 2 classes"),
        ({"num_classes": 2, "label": np.zeros((3, 2), int)}, r"the prediction of A, the prediction of B and the label"),
        ({"num_classes": 2, "image": np.zeros((2, 3, 3), int)}, "the image of 'x' must be uint8"),
    ],
)
def test_pictures_of_a_comparison_that_do_not_fit(more, text):
    maps = ComparedMaps(*[np.zeros((2, 3), int)] * 3)
    maps = maps._replace(**{name: more.pop(name) for name in ("label", "image") if name in more})
    with pytest.raises(ValueError, match=text):
        ComparisonReport({}, images=[ImageChange("x", 0.1, 0.2, maps)], **more)


def test_the_classes_of_an_image_are_named_below_it():
    label, prediction = np.array([[0, 0, 0, 255]]), np.array([[0, 0, 2, 2]])
    image = WorstImage("x", 0.5, prediction, label)
    metric = MeanIoU(4, ignore_index=255, class_names=list("abcd"))
    palette = [(1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4)]
    metric.update(prediction[None], label[None])
    html = render(Report.of(metric, worst=[image], palette=palette))
    legend = re.search(r"</div>\n<p class=\"legend\">(.*?)</p>", html.split("<figure")[1], re.S)[1]
    assert re.findall(r"background:(#\w+)\"></i>(\w)", legend) == [("#010101", "a"), ("#030303", "c")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("FrequencyWeightedIoU", "Frequency<wbr>Weighted<wbr>IoU"),
        ("val/img_0001.png", "val/<wbr>img_<wbr>0001.<wbr>png"),
        ("__", "__"),
        ("a_<b>/c & d", "a_<wbr>&lt;b&gt;/<wbr>c &amp; d"),
        ("", ""),
    ],
)
def test_names_break_between_their_words(name, expected):
    assert str(breakable(name)) == expected
