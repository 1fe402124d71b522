"""The report: the numbers of the page, its escaping, its file, and its errors."""

import base64
import dataclasses
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from segiou import ConfidenceInterval, Dice, FBeta, ImagewiseIoU, MeanIoU, SegmentationMetrics
from segiou.metrics.image_means import ImageScores
from segiou.metrics.intervals import Interval
from segiou.report import Report, WorstImage, render, write_report
from segiou.report.files import require_writable, write_whole
from segiou.report.matrix import confusions, matrix_of
from segiou.report.meanings import meaning
from segiou.report.pictures import IGNORED as GREY
from segiou.report.pictures import SIDE, WRONG, colours, overlay
from segiou.report.views import distribution
from tests.helpers.report_cases import CLASSES, EVIL, IGNORED, NAMES, Page, batch, page, report


@pytest.fixture(scope="module")
def full() -> tuple[Report, str]:
    shown = report()
    return shown, render(shown)


# ---- the numbers


@pytest.mark.parametrize("column", ["IoU", "Dice", "Precision", "Recall"])
def test_the_table_shows_the_scores_of_the_metrics(full, column):
    table = Page(full[1]).tables["class-table"]
    metric = {score.key: score for score in SegmentationMetrics.scores}["mIoU" if column == "IoU" else column]
    alone = metric.per_class(full[0].metric.areas(full[0].counts), full[0].metric.averaging)
    place = [cell.split()[0] for cell in table[0]].index(column)
    shown = [row[place] for row in table[1 : 1 + CLASSES]]
    assert shown == ["n/a" if score != score else f"{score:.4f}" for score in alone.tolist()]
    assert shown[-1] == "n/a"  # of the class that no pixel has
    assert [row[1] for row in table[1 : 1 + CLASSES]] == NAMES
    assert table[-1][place] == f"{float(full[0].scores['mIoU' if column == 'IoU' else column].value):.4f}"


def test_the_table_shows_the_pixels_of_the_target(full):
    _, target = batch()
    rows = Page(full[1]).tables["class-table"][1 : 1 + CLASSES]
    pixels = [int((target == place).sum()) for place in range(CLASSES)]
    assert [row[-2] for row in rows] == [f"{number:,}" for number in pixels]
    assert [row[-1] for row in rows] == [f"{100 * number / sum(pixels):.1f} %" for number in pixels]


def test_the_headline_is_what_the_metrics_compute(full):
    preds, target = batch()
    metrics = SegmentationMetrics(CLASSES, ignore_index=IGNORED)
    values = {name: float(value) for name, value in metrics(preds, target).items() if name != "FBeta"}
    assert {name: float(interval.value) for name, interval in full[0].scores.items()} == pytest.approx(values, abs=0)
    text = Page(full[1]).text
    for name, interval in full[0].scores.items():
        low, high = float(interval.low), float(interval.high)
        assert f"{name} {meaning(name)} {values[name]:.4f} {low:.4f} to {high:.4f}" in text


@pytest.mark.parametrize("average", ["macro", "micro", "weighted", "none"])
@pytest.mark.parametrize("metric", [MeanIoU, Dice])
def test_each_headline_has_its_own_average(metric, average):
    options = {"num_classes": CLASSES, "ignore_index": IGNORED, "exclude": [1]}
    shown = Report.of(_counted(metric(average=average, **options)))
    averaged = {"average": "macro" if average == "none" else average}
    for name in ("mIoU", "Dice"):
        alone = {"mIoU": MeanIoU, "Dice": Dice}[name](**averaged, **options)
        assert torch.equal(shown.scores[name], _counted(alone).compute())
    weighted = SegmentationMetrics(**options)
    assert torch.equal(shown.scores["FrequencyWeightedIoU"], _counted(weighted).compute()["FrequencyWeightedIoU"])
    words = {"micro": "micro: the score", "weighted": "weighted: the mean"}.get(average, "macro: the plain mean")
    assert f"Average {words}" in page(shown).text


def _counted(metric: Any) -> Any:
    metric.update(*batch())
    return metric


def test_intervals_of_one_score_go_to_its_headline_or_its_column():
    metric = _counted(MeanIoU(CLASSES, ignore_index=IGNORED))
    for average in ("macro", "none"):
        confidence = _counted(
            ConfidenceInterval(MeanIoU(CLASSES, ignore_index=IGNORED, average=average), replicates=100)
        )
        shown, found = Report.of(metric, confidence=confidence), confidence.compute()
        of_score = shown.scores["mIoU"] if average == "macro" else shown.class_intervals["IoU"]
        assert all(torch.equal(a, b) or a.isnan().any() for a, b in zip(of_score, found, strict=True))
        assert shown.facts["Intervals"] == (
            "95 % percentile bootstrap over 30 images, 100 replicates of Poisson weights, seed 0; "
            "intervals of fewer than about 50 images are too narrow"
        )
    confidence = _counted(ConfidenceInterval(FBeta(CLASSES, ignore_index=IGNORED, beta=2), replicates=100))
    assert "FBeta" in Report.of(metric, confidence=confidence).scores
    assert Report.of(metric, confidence={"mIoU": Interval(*torch.tensor([0.5, 0.4, 0.6]))}).scores["mIoU"].low == 0.4


def test_the_intervals_of_classes_are_in_their_cells(full):
    cells = [a for tag, a in Page(full[1]).elements if tag == "td" and "title" in a]
    low, high = (full[0].class_intervals["IoU"][part][0] for part in (1, 2))
    assert cells[0]["title"] == f"{low:.4f} to {high:.4f}"
    assert len(cells) == CLASSES - 1 + 4  # a class without a score has no interval, and averages have theirs


def test_scores_of_groups_are_shown_in_place_of_classes():
    groups = {"ground": [0, 1], "things": [1, 2, 3]}  # no partition: there is no pixel accuracy
    metric = _counted(MeanIoU(CLASSES, ignore_index=IGNORED, groups=groups, class_names=list("abcd")))
    shown = Report.of(metric)
    table = page(shown).tables["class-table"]
    assert [row[1] for row in table[1:-1]] == ["ground", "things"]
    assert set(shown.scores) == {"mIoU", "Dice", "Precision", "Recall", "MeanAccuracy", "FrequencyWeightedIoU"}
    assert "ground = a, b; things = b, c, d" in page(shown).text


def test_the_conventions_say_what_the_metric_does():
    options: dict[str, Any] = {"ignore_index": [7, 255], "absent": 0.0, "absent_if": "target", "validate_args": False}
    text = page(Report.of(MeanIoU(3, exclude=[0], upsample="bilinear", class_names=list("abc"), **options))).text
    assert "multiclass, 3 classes" in text
    assert "7, 255: pixels with such a target are not counted" in text
    assert "a class that is not in the target scores 0, and it counts" in text
    assert "Left out of means a; pixels still counted" in text
    assert "brought to the size of the target, bilinear" in text
    assert "Labels outside the classes ignored in the target, a miss in the prediction" in text
    assert "MeanIoU(num_classes=3" in text
    binary = page(Report.of(MeanIoU(task="binary", threshold=0.3, from_logits=True))).text
    assert "binary, scores are positive for logits whose probability is above 0.3" in binary
    assert "Average of the positive class" in binary
    both = page(Report.of(MeanIoU(task="binary", exclude=(), average="none"))).text
    assert "Average macro: the plain mean over classes" in both


def test_pixels_are_accounted_for():
    metric = MeanIoU(2, ignore_index=255, validate_args=False)
    metric.update(torch.tensor([[0, 1, 9, 9]]), torch.tensor([[0, 0, 1, 255]]))
    shown = page(Report.of(metric))
    assert "3 counted, 1 ignored, 1 of the counted were predicted as no class" in shown.text
    assert ["1", "no class", "1", "100.0 %"] in shown.tables["pair-table"]


# ---- the matrix


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_confusions_are_the_largest_of_a_plain_list(data):
    size = data.draw(st.integers(1, 4))
    cells = data.draw(st.lists(st.integers(0, 9), min_size=(size + 1) ** 2, max_size=(size + 1) ** 2))
    counts = torch.tensor(cells).view(size + 1, size + 1)
    matrix = matrix_of(MeanIoU(size, class_names=list("abcd")[:size]), counts)
    plain = [
        (
            cells[row * (size + 1) + column],
            cells[row * (size + 1) + column] / sum(cells[row * (size + 1) :][: size + 1]),
        )
        for row in range(size)
        for column in range(size + 1)
        if row != column and cells[row * (size + 1) + column]
    ]
    found = confusions(matrix, 3)
    assert [pair.pixels for pair in found] == sorted((pixels for pixels, _ in plain), reverse=True)[:3]
    by_share = confusions(matrix, 3, by_share=True)
    assert [pair.share for pair in by_share] == pytest.approx(sorted((share for _, share in plain), reverse=True)[:3])
    for pair in found:
        row, column = matrix.rows.index(pair.target), matrix.columns.index(pair.predicted)
        assert pair.pixels == cells[row * (size + 1) + column]


def test_the_heat_map_has_the_counts(full):
    data = _json(full[1])
    assert data["counts"] == full[0].counts[:-1, :-1].tolist()
    assert data["rows"] == data["columns"] == NAMES
    assert data["right"] == list(range(CLASSES))


def test_multilabel_has_two_rows_for_each_label():
    metric = MeanIoU(task="multilabel", num_labels=2, class_names=["a", "b"])
    metric.update(torch.tensor([[[1, 1, 0], [0, 1, 1]]]), torch.tensor([[[1, 0, 0], [1, 1, 0]]]))
    html = render(Report.of(metric))
    assert _json(html)["rows"] == ["not a", "a", "not b", "b"]
    assert _json(html)["counts"] == [[1, 1], [0, 1], [0, 1], [1, 1]]
    assert _json(html)["right"] == [0, 1, 0, 1]
    shown = Page(html).tables["class-table"][1:3]
    assert [row[:3] for row in shown] == [["0", "a", "0.5000"], ["1", "b", "0.3333"]]
    assert [row[-2:] for row in shown] == [["1", "33.3 %"], ["2", "66.7 %"]]


def _json(html: str) -> Any:
    return json.loads(re.findall(r'<script type="application/json" id="heat-data">(.*?)</script>', html, re.S)[0])


# ---- images


def test_the_histogram_counts_every_image_once():
    values = torch.tensor([0.0, 0.3, 0.049, 0.05, 1.0, torch.nan, 0.999])
    shown = distribution(ImageScores([None, 5, *"bcdef"], values, torch.full((7, 2), torch.nan)), ["a", "b"])
    filled = {round(bin.low, 2): bin.images for bin in shown.bins if bin.images}
    assert filled == {0.0: 2, 0.05: 1, 0.3: 1, 0.95: 2}
    assert shown.scored == 6
    assert [row.name for row in shown.rows] == ["image 0", "b", "c", "5", "f", "d", "e"]  # nan comes last
    assert shown.summary["median"] == pytest.approx(0.175)
    assert shown.summary["lowest"] == 0
    assert shown.summary["highest"] == 1


def test_images_without_a_score_are_no_error():
    for scores in (
        ImageScores([], torch.empty(0), torch.empty(0, 2)),
        ImageScores(["a"], torch.tensor([torch.nan]), torch.full((1, 2), torch.nan)),
    ):
        shown = page(Report.of(MeanIoU(2), images=scores))
        assert f"0 of {len(scores.ids)} images have a score." in shown.text


def test_images_name_the_class_that_scored_lowest(full):
    preds, target = batch()
    single = ImagewiseIoU(CLASSES, ignore_index=IGNORED, keep_images=True)
    single.update(preds[-1:], target[-1:])
    of_classes = single.images().per_class[0].nan_to_num(2)
    row = next(row for row in Page(full[1]).tables["image-table"] if row[0].startswith("29<"))
    assert row[2:] == [NAMES[int(of_classes.argmin())], f"{float(of_classes.min()):.4f}"]


def test_overlays_show_prediction_label_and_error():
    label = np.array([[0, 1], [255, 7]], np.uint8)
    prediction = np.array([[0, 0], [0, 1]], np.int64)
    palette = [(10, 20, 30), (40, 50, 60)]
    shown = overlay(WorstImage("a", 0.5, prediction, label), palette, (255,))
    clear = (0, 0, 0, 0)
    assert _pixels(shown.prediction) == [(*palette[0], 255)] * 3 + [(*palette[1], 255)]
    assert _pixels(shown.label) == [(*palette[0], 255), (*palette[1], 255), clear, clear]
    assert _pixels(shown.error) == [clear, WRONG, GREY, GREY]
    assert shown.image == ""


def test_ignored_classes_have_no_colour_in_the_label():
    label, prediction = np.array([[0, 1]]), np.array([[1, 0]])
    shown = overlay(WorstImage("a", 0.5, prediction, label), [(1, 1, 1), (2, 2, 2)], (1,))
    assert _pixels(shown.label) == [(1, 1, 1, 255), (0, 0, 0, 0)]
    assert _pixels(shown.prediction) == [(2, 2, 2, 255), (1, 1, 1, 255)]
    assert _pixels(shown.error) == [WRONG, GREY]


def test_overlays_of_large_images_are_made_small():
    label = np.zeros((3 * SIDE - 1, 40), np.uint16)
    label[1::3] = 1  # the rows that are kept
    rgb = np.full((*label.shape, 3), 200, np.uint8)
    shown = overlay(WorstImage("a", 0.5, label, label, rgb), [(1, 2, 3), (4, 5, 6)], ())
    assert (shown.height, shown.width) == (SIDE, 13)
    assert set(_pixels(shown.label)) == {(4, 5, 6, 255)}
    with Image.open(io.BytesIO(base64.b64decode(shown.image.split(",")[1]))) as picture:
        assert picture.size == (shown.width, shown.height)
        assert abs(picture.getpixel((5, 5))[0] - 200) < 4


def _pixels(uri: str) -> list[tuple[int, ...]]:
    with Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))) as stored:
        picture = stored.convert("RGBA")
        return [picture.getpixel((x, y)) for y in range(picture.height) for x in range(picture.width)]


@pytest.mark.parametrize("number", [2, 256, 257, 300])
def test_overlays_of_many_colours_are_exact(number):
    label = np.arange(number)[None]
    palette = colours(number - 1)
    shown = overlay(WorstImage("a", 0.5, label * 0, label), palette, ())
    expected = [*((*colour, 255) for colour in palette), (0, 0, 0, 0)]
    assert _pixels(shown.label) == expected


def test_colours_differ():
    assert len(set(colours(171))) == 171


def test_the_confusions_of_an_image_are_its_own():
    metric = _counted(MeanIoU(CLASSES, ignore_index=IGNORED, class_names=NAMES))
    label, prediction = np.array([[0, 0, 2, 255]]), np.array([[2, 2, 2, 1]])
    shown = page(Report.of(metric, worst=[WorstImage("a", 0.5, prediction, label)]))
    assert f"road predicted as {NAMES[2]}: 2 pixels, 100.0 % of the target" in shown.text


# ---- safety


def test_names_are_escaped(full):
    html = full[1]
    assert EVIL not in html
    assert "alert(1)" in html
    found = Page(html)
    scripts = [attributes for tag, attributes in found.elements if tag == "script"]
    assert scripts == [*({"type": "application/json", "id": f"{name}-data"} for name in ("heat", "example")), {}]
    assert found.text.count(EVIL) > 40  # names of classes and images, the title, the note and the fact are all shown
    assert _json(html)["rows"][1] == EVIL
    assert not found.open


def test_nothing_is_fetched(full):
    html = full[1]
    assert not re.search(r"https?:|//\w|@import|fetch\(|XMLHttpRequest", re.sub(r"base64,[\w+/=]+", "", html))
    for tag, attributes in Page(html).elements:
        for name in {"src", "href"} & attributes.keys():
            assert attributes[name].startswith(("data:", "#")), (tag, name)
    policy = next(a["content"] for tag, a in Page(html).elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_headers_are_buttons(full):
    html = full[1]
    headers = re.findall(r'<th scope="col".*?</th>', html)
    assert len(headers) == 8 + 4 + 4
    assert all(re.search(r'<button type="button"( title="[^"]+")?>', header) for header in headers)


def test_the_text_is_plain(full):
    text = Page(full[1]).text
    assert "nan" not in re.sub("never", "", text).lower().split()
    assert not {"\u2013", "\u2014"} & set(full[1])


@pytest.mark.parametrize("name", ["\udcff.png", "a\x00b", "\u2028", "\U0001f600", "]]>", "<!--"])
def test_any_name_can_be_written(tmp_path, name):
    shown = report(names=["a", name, "c"], notes=[name])
    write_report(shown, tmp_path / "report.html")
    html = (tmp_path / "report.html").read_bytes().decode()
    assert _json(html)["rows"][1] == name
    assert not Page(html).open


# ---- the file


def test_a_report_is_written_whole(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("before")
    shown = report(worst=0)
    write_report(shown, path)
    assert path.read_text() == render(shown)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_a_report_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch, step):
    path = tmp_path / "report.html"
    path.write_text("before")

    def broken(self: Path, given: Any) -> None:
        with self.open("wb") as file:
            file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, step, broken)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"after, which is longer")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("report.html", "before")]


def test_places_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="the folder of the file to write must exist: make it first: '.*none'"):
        require_writable(tmp_path / "none" / "a.html")
    with pytest.raises(NotADirectoryError, match="the folder of the file to write must be a folder: '.*file'"):
        require_writable(tmp_path / "file" / "a.html")
    with pytest.raises(IsADirectoryError, match="the file to write must be a file, and is a folder"):
        write_report(report(worst=0), tmp_path)
    assert require_writable(str(tmp_path / "a.html")) == tmp_path / "a.html"
    assert not (tmp_path / "a.html").exists()


def test_a_folder_that_is_not_writable_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("segiou.report.files.os.access", lambda *_: False)  # root may write anywhere
    with pytest.raises(PermissionError, match="the folder of the file to write must be writable"):
        require_writable(tmp_path / "a.html")


def test_jinja2_and_pillow_are_needed_for_pages_alone():
    code = (
        "import sys, torch, torchmetrics\n"
        "sys.modules |= {'jinja2': None, 'PIL': None}\n"  # an import is an error now
        "import segiou, segiou.report\n"
        "print(segiou.report.Report.of(segiou.MeanIoU(2)).title)\n"
        "segiou.report.render(segiou.report.Report.of(segiou.MeanIoU(2)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "Segmentation report"
    assert "ModuleNotFoundError: a report needs Jinja2" in done.stderr


@pytest.mark.parametrize(
    ("package", "text"), [("jinja2", "a report needs Jinja2"), ("PIL", "overlays of images need Pillow")]
)
def test_what_is_not_installed_is_named(monkeypatch, package, text):
    shown = report()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=re.escape(f'{text}: pip install "segiou[report]"')):
        render(shown)


# ---- arguments


IMAGE = WorstImage("a.png", 0.5, np.zeros((2, 3), np.uint8), np.zeros((2, 3), np.uint8))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"palette": [(0, 0, 0)]}, "palette must hold a colour for each of 2 classes, got 1"),
        (
            {"worst": [IMAGE._replace(label=np.zeros((3, 2), np.uint8))]},
            "the prediction and the label of 'a.png' must be of one shape (H, W), got (2, 3) and (3, 2)",
        ),
        (
            {"worst": [IMAGE._replace(image=np.zeros((2, 3), np.uint8))]},
            "the image of 'a.png' must be uint8 of shape (2, 3, 3), got uint8 of shape (2, 3)",
        ),
        (
            {"class_intervals": {"IoU": Interval(*torch.zeros(3, 4))}},
            "the column 'IoU' must hold a score for each of the 2 classes that are scored, got shape (4,)",
        ),
    ],
)
def test_what_does_not_fit_is_named(options, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        dataclasses.replace(Report.of(MeanIoU(2)), **options)


def test_counts_of_another_shape_are_named():
    for make in (Report, Report.of):
        with pytest.raises(
            ValueError, match=re.escape("counts must be of shape (3, 3), as metric.confmat, got (2, 2)")
        ):
            make(MeanIoU(2), torch.zeros(2, 2))
    with pytest.raises(
        ValueError, match="images are shown as label maps, which multilabel has not: leave it out, got 'a.png'"
    ):
        Report.of(MeanIoU(task="multilabel", num_labels=2), worst=[IMAGE])


def test_a_report_is_the_same_every_time(full):
    assert render(full[0]) == full[1]
