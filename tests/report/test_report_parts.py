"""Parts of the page: curves over epochs, meanings of scores, and when n/a is explained."""

import math

import torch

from segiou import MeanIoU
from segiou.metrics.scores import SegmentationMetrics
from segiou.report import Report, render
from segiou.report.curves import HEIGHT, WIDTH, curves
from segiou.report.data import headline
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
