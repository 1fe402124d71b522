"""Reports for the tests, and a page as a reader of HTML sees it."""

from html.parser import HTMLParser
from typing import Any

import numpy as np
import torch

from segiou import ConfidenceInterval, ImagewiseIoU, MeanIoU, SegmentationMetrics
from segiou.report import Report, WorstImage, render

EVIL = "</script><script>alert(1)</script>"
NAMES = ["road", EVIL, "tram & \"bus\" <b>'x'</b>", "{{ never }}"]
CLASSES, IGNORED, IMAGES = len(NAMES), 255, 30
VOID_ELEMENTS = {"meta", "link", "input", "img"}


def batch(images: int = IMAGES, classes: int = CLASSES, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions of images that are more wrong the later they come, never of the last class, which no target has."""
    random = torch.Generator().manual_seed(seed)
    target = torch.randint(0, classes - 1, (images, 8, 12), generator=random)
    other = torch.randint(0, classes - 1, target.shape, generator=random)
    wrong = torch.rand(target.shape, generator=random) < torch.linspace(0.1, 0.9, images).view(-1, 1, 1)
    preds = torch.where(wrong, other, target)
    target[:, 0, 0] = IGNORED
    return preds, target


def report(images: int = IMAGES, names: list[str] = NAMES, worst: int = 2, **options: Any) -> Report:
    """A report with all that it can hold."""
    preds, target = batch(images, len(names))
    ids = [f"{place}{EVIL}.png" for place in range(images)]
    rules: dict[str, Any] = {"num_classes": len(names), "ignore_index": IGNORED, "class_names": names}
    metric, confidence = (
        MeanIoU(**rules),
        ConfidenceInterval(SegmentationMetrics(**rules, per_class=True), replicates=100),
    )
    single = ImagewiseIoU(**rules, keep_images=True)
    metric.update(preds, target)
    for of_images in (confidence, single):
        of_images.update(preds, target, ids=ids)
    rgb = np.full((8, 12, 3), 90, np.uint8)
    shown = [
        WorstImage(name, score, preds[-1].numpy(), target[-1].numpy(), rgb)
        for name, score in single.images().worst(worst)
    ]
    more = {
        "images": single.images(),
        "image_metric": single.metric,
        "worst": shown,
        "notes": [EVIL],
        "facts": {EVIL: EVIL},
    }
    return Report.of(metric, confidence=confidence, **{"title": f"Test {EVIL}", **more, **options})


class Page(HTMLParser):
    """Elements of a page with their attributes, and the cells of its tables."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.table = ""
        self.feed(html.replace("<wbr>", ""))  # which says where a line may end, and nothing to a reader

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open += [] if tag in VOID_ELEMENTS else [tag]
        if tag == "table":
            self.table = dict(attrs)["id"] or ""
            self.tables[self.table] = []
        elif tag == "tr":
            self.tables[self.table].append([])
        elif tag in ("td", "th"):
            self.tables[self.table][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.table = "" if tag == "table" else self.table

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))
        if self.table and ("td" in self.open or "th" in self.open):
            row = self.tables[self.table][-1]
            row[-1] = " ".join(f"{row[-1]} {data}".split())

    @property
    def text(self) -> str:
        """All that a reader sees."""
        return " ".join(" ".join(data for tag, data in self.texts if tag not in ("style", "script")).split())


def page(shown: Report) -> Page:
    return Page(render(shown))
