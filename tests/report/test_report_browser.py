"""The page in a real browser: Chromium without a window, through its driver."""

import base64
import importlib.util
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segiou import MeanIoU, PairedComparison, SegmentationMetrics
from segiou.metrics.image_means import ImageScores
from segiou.report import ComparedMaps, ComparisonReport, ImageChange, Report, write_report
from tests.helpers.report_cases import CLASSES, EVIL, IGNORED, NAMES, batch, report

BROWSER = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER and importlib.util.find_spec("selenium")),
    reason="needs selenium, and chromium with its chromedriver",
)


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(report(), path)
    return path


@pytest.fixture
def page(driver: Any, path: Path) -> Iterator[Any]:
    """The page, newly opened on a wide screen in light colours; nothing may be logged to the console."""
    opened(driver, path)
    yield driver
    assert logged(driver) == []


def logged(driver: Any) -> list[str]:
    """What the page has logged; that these tests read back what is painted is not its fault."""
    return [entry["message"] for entry in driver.get_log("browser") if "getImageData" not in entry["message"]]


def opened(driver: Any, path: Path, width: int = 1200, scheme: str = "light") -> None:
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    coloured(driver, scheme)
    driver.get(path.as_uri())


def coloured(driver: Any, scheme: str) -> None:
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )


def found(driver: Any, selector: str) -> Any:
    return driver.find_element("css selector", selector)


def column(driver: Any, table: str, place: int) -> list[str]:
    script = "return [...document.getElementById(arguments[0]).tBodies[0].rows].map(row => row.cells[arguments[1]].innerText.trim())"
    return [text.split("\n")[0].strip() for text in driver.execute_script(script, table, place)]


def numbers(shown: list[str]) -> list[float]:
    return [float(text.split()[0].replace(",", "")) for text in shown if text != "n/a"]


def header(driver: Any, table: str, place: int) -> Any:
    return found(driver, f"#{table} thead th:nth-child({place + 1})")


def test_the_page_opens_from_a_file(page):
    assert page.title.startswith("Test </script>")
    assert (
        page.execute_script(
            "return performance.getEntriesByType('resource').filter(r => !r.name.startsWith('data:')).length"
        )
        == 0
    )


def test_an_error_would_be_seen(driver, path):
    broken = path.with_name("broken.html")
    broken.write_text(path.read_text().replace('"use strict";', '"use strict"; missing();'))
    opened(driver, broken)
    assert "missing is not defined" in logged(driver)[0]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<h1>", '<img src="http://127.0.0.1:9/a.png"><h1>'),
        ('"use strict";', '"use strict"; fetch("http://127.0.0.1:9/").catch(() => 0);'),
    ],
)
def test_nothing_can_be_fetched(driver, path, before, after):
    fetching = path.with_name("fetching.html")
    fetching.write_text(path.read_text().replace(before, after))
    opened(driver, fetching)
    assert "Content Security Policy" in logged(driver)[0]


@pytest.mark.parametrize("key", [None, "\ue007", " "], ids=["click", "enter", "space"])
def test_a_header_sorts(page, key):
    head = header(page, "class-table", 2)
    button = head.find_element("tag name", "button")
    press = button.click if key is None else lambda: button.send_keys(key)
    assert head.get_attribute("aria-sort") is None
    press()
    rising = column(page, "class-table", 2)
    assert head.get_attribute("aria-sort") == "ascending"
    assert rising[-1] == "n/a"
    assert numbers(rising) == sorted(numbers(rising))
    assert len(set(rising)) == CLASSES
    press()
    falling = column(page, "class-table", 2)
    assert head.get_attribute("aria-sort") == "descending"
    assert falling[-1] == "n/a"
    assert numbers(falling) == numbers(rising)[::-1]


def test_names_and_large_numbers_sort_too(page):
    header(page, "class-table", 1).click()
    assert column(page, "class-table", 1)[2:] == [NAMES[0], NAMES[2]]  # after those that start with a sign
    header(page, "class-table", 6).click()
    pixels = numbers(column(page, "class-table", 6))
    assert pixels == sorted(pixels)
    assert pixels[0] == 0 < 100 < pixels[1]
    assert header(page, "class-table", 1).get_attribute("aria-sort") is None  # one column at a time


def test_the_first_column_brings_the_order_back(page):
    before = column(page, "class-table", 1)
    header(page, "class-table", 1).click()
    header(page, "class-table", 0).click()
    assert column(page, "class-table", 1) == before == NAMES


def test_focus_is_visible(page):
    found(page, "body").send_keys("\ue004")
    focused = page.switch_to.active_element
    assert focused.text == "Skip to the scores of the classes"
    page.execute_script("document.querySelector('#class-table button').focus({focusVisible: true})")
    assert page.switch_to.active_element.value_of_css_property("outline-style") == "solid"


def test_a_cell_of_the_heat_map_shows_its_counts(page, path):
    from selenium.webdriver import ActionChains

    counts = report().counts[:-1, :-1]
    canvas = found(page, "#heat")
    cell, left, top = page.execute_script("return [layout.cell, layout.left, layout.top]")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    width, height = canvas.size["width"], canvas.size["height"]
    ActionChains(page).move_to_element_with_offset(
        canvas, int(left + 2.5 * cell - width / 2), int(top + 0.5 * cell - height / 2)
    ).perform()
    shown = found(page, "#heat-cell").text
    total = int(counts[0].sum())
    assert shown == (
        f"target road, predicted {NAMES[2]} (wrong): {int(counts[0, 2]):,} pixels, "
        f"{100 * int(counts[0, 2]) / total:.2f} % of the {total:,} pixels of the target"
    )
    page.execute_script("arguments[0].focus()", canvas)
    canvas.send_keys("\ue012\ue015")  # left, down
    assert (
        f"target {NAMES[1]}, predicted {NAMES[1]} (right): {int(counts[1, 1]):,} pixels"
        in found(page, "#heat-cell").text
    )
    canvas.send_keys("\ue013" * 9)  # up, no further than the first row
    assert found(page, "#heat-cell").text.startswith("target road, ")


def test_the_heat_map_is_painted_by_shares(page):
    script = """const {cell, left, top} = layout, scale = canvas.width / canvas.clientWidth;
        return [[0, 0], [0, 1], [3, 3]].map(([row, column]) => [...canvas.getContext('2d').getImageData(
            (left + column * cell + 3) * scale, (top + row * cell + 3) * scale, 1, 1).data])"""
    right, wrong, empty = page.execute_script(script)
    assert right[2] > right[0] + 40  # blue
    assert wrong[0] > wrong[2] + 20  # red
    assert empty == [241, 243, 244, 255]


def test_cells_grow_and_rows_are_found(page):
    before = found(page, "#heat").size["width"]
    page.execute_script("size.value = 48; size.dispatchEvent(new Event('input'))")
    assert found(page, "#heat").size["width"] != before
    page.execute_script("document.querySelector('#images details').open = true")
    found(page, "[data-filters=image-table]").send_keys("29<")
    rows = page.find_elements("css selector", "#image-table tbody tr")
    assert [row.text[:3] for row in rows if row.is_displayed()] == ["29<"]


def test_dark_colours_are_used_where_they_are_preferred(page):
    look = "return [getComputedStyle(document.body).backgroundColor, canvas.getContext('2d').getImageData(layout.left + 3 + layout.cell, layout.top + 3, 1, 1).data.join()]"
    light = page.execute_script(look)
    coloured(page, "dark")
    deadline = time.monotonic() + 5
    while page.execute_script(look)[1] == light[1] and time.monotonic() < deadline:
        time.sleep(0.05)
    dark = page.execute_script(look)
    assert light[0] == "rgb(251, 251, 250)"
    assert dark[0] == "rgb(20, 24, 27)"
    assert dark[1] != light[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(driver, path, scheme):
    opened(driver, path, scheme=scheme)
    script = """return [...document.querySelectorAll('h1, h2, dt, dd, small, td, th, button, p, a, summary')].map(element => {
        let behind = element;
        while (behind && getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
        return [element.outerHTML.slice(0, 80), getComputedStyle(element).color, getComputedStyle(behind ?? document.body).backgroundColor]})"""
    for element, front, behind in driver.execute_script(script):
        light, dark = sorted((luminance(front), luminance(behind)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (element, front, behind)


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("width", [320, 390, 768])
def test_a_narrow_screen_does_not_scroll_sideways(driver, path, width):
    opened(driver, path, width)
    assert not scrolls_sideways(driver)
    driver.execute_script("document.querySelector('h1').style.width = '2000px'")
    assert scrolls_sideways(driver)


def test_no_column_is_cut_on_a_phone(driver, path):
    opened(driver, path, 375)
    driver.execute_script("document.querySelector('#images details').open = true")
    script = "return [...document.querySelectorAll('table')].map(table => [table.id, table.scrollWidth - table.parentElement.clientWidth])"
    assert [(name, wider) for name, wider in driver.execute_script(script) if wider > 0] == []
    assert found(driver, "#class-table thead").text.split() == ["name", "IoU", "Dice", "Precision", "Recall"]


def scrolls_sideways(driver: Any) -> bool:
    root = found(driver, "html")
    return int(root.get_property("scrollWidth")) > int(root.get_property("clientWidth"))


def test_pictures_are_shown(page):
    sizes = page.execute_script(
        "return [...document.images].map(image => [image.complete, image.naturalWidth, image.naturalHeight])"
    )
    assert sizes == [[True, 12, 8]] * 6
    page.execute_script("opacity.value = 30; opacity.dispatchEvent(new Event('input'))")
    assert found(page, ".prediction img").value_of_css_property("opacity") == "0.3"


def test_many_classes_and_images_stay_usable(driver, tmp_path):
    random = torch.Generator().manual_seed(0)
    names = [f"class {place}" for place in range(150)]
    metric = MeanIoU(150, ignore_index=IGNORED, class_names=names)
    counts = torch.randint(0, 10**7, (151, 151), generator=random)
    images = ImageScores(
        [f"image {place}" for place in range(2000)],
        torch.rand(2000, generator=random),
        torch.rand(2000, 150, generator=random),
    )
    path = tmp_path / "large.html"
    write_report(Report.of(metric, counts, images=images), path)
    assert path.stat().st_size < 1e6
    opened(driver, path)
    driver.execute_script("document.querySelector('#images details').open = true")
    for table, place, rows in (("class-table", 2, 150), ("image-table", 1, 2000)):
        driver.execute_script("arguments[0].querySelector('button').click()", header(driver, table, place))
        driver.execute_script("arguments[0].querySelector('button').click()", header(driver, table, place))
        shown = numbers(column(driver, table, place))
        assert len(shown) == rows
        assert shown == sorted(shown, reverse=True)
    header(driver, "class-table", 1).find_element("tag name", "button").click()
    assert column(driver, "class-table", 1) == names  # class 2 comes before class 10
    driver.execute_script("canvas.focus()")
    assert found(driver, "#heat-cell").text.startswith("target class 0, predicted class 0 (right): ")
    assert not scrolls_sideways(driver)
    assert logged(driver) == []


def test_the_page_prints(page):
    data = base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    assert data.startswith(b"%PDF")
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    try:
        assert not found(page, "nav").is_displayed()
        assert page.execute_script("return getComputedStyle(document.body).color") == "rgb(29, 35, 39)"  # dark on paper
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize(("kind", "start"), [("Markdown", "| class |"), ("LaTeX", r"\begin{tabular}")])
def test_the_table_is_copied(page, kind, start):
    page.execute_script(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async text => { window.taken = text; }}})"
    )
    found(page, f"[data-copies=copy-class-{kind}]").send_keys("\ue007")
    assert page.execute_script("return window.taken").startswith(start)
    assert found(page, "#copied-class").text == "Copied."


def test_a_table_that_cannot_be_copied_is_marked(page):
    page.execute_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    found(page, "[data-copies=copy-class-Markdown]").click()
    assert page.switch_to.active_element.get_attribute("id") == "copy-class-Markdown"
    assert page.execute_script("return getSelection().toString()").startswith("| class |")


def test_the_meaning_of_a_score_is_shown_by_a_key(page):
    summary = found(page, ".meaning summary")
    assert "intersection over union" in summary.get_attribute("title")
    assert not found(page, ".meaning p").is_displayed()
    summary.send_keys("\ue007")
    assert found(page, ".meaning p").is_displayed()


@pytest.fixture
def chosen(driver, tmp_path):
    """A page with worst images and one best image, and the name of the latter."""
    of = report()
    best = of.worst[0]._replace(name="the best", prediction=of.worst[0].prediction * 0, label=of.worst[0].label * 0)
    write_report(report(examples={"best": [best]}), tmp_path / "chosen.html")
    opened(driver, tmp_path / "chosen.html")
    yield driver
    assert logged(driver) == []


def shown_images(driver: Any) -> list[str]:
    figures = driver.find_elements("css selector", "#example-list figure")
    return [figure.find_element("tag name", "h3").text for figure in figures if figure.is_displayed()]


def choose(driver: Any, control: str, text: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(found(driver, control)).select_by_visible_text(text)


def test_images_are_chosen(chosen):
    worst = [image.name for image in report().worst]
    assert shown_images(chosen) == worst
    choose(chosen, "#example-choice", "best")
    assert shown_images(chosen) == ["the best"]
    choose(chosen, "#example-class", NAMES[2])  # which is not in it
    assert shown_images(chosen) == []
    choose(chosen, "#example-class", "road")
    assert shown_images(chosen) == ["the best"]
    assert found(chosen, "#example-said").text == "1 image with road."
    choose(chosen, "#example-class", "all classes")
    choose(chosen, "#example-choice", "worst")
    assert shown_images(chosen) == worst


@pytest.mark.parametrize("how", ["click", "enter", "row"])
def test_the_row_of_a_class_leads_to_its_worst_images(chosen, how):
    images = report().images
    lowest = sorted((score, name) for name, score in zip(images.ids, images.per_class[:, 0].tolist(), strict=True))[:5]
    button = found(chosen, "#class-table [data-class='0']")
    if how == "enter":
        button.send_keys("\ue007")
    else:
        chosen.execute_script(
            "arguments[0].click()", button if how == "click" else found(chosen, "#class-table tbody td")
        )
    assert found(chosen, "#example-said").text == "5 images with the lowest IoU of road."
    texts = [f"{name}: IoU of road {score:.4f}" for score, name in lowest]
    pictured = [
        f"{figure.find_element('tag name', 'h3').text}: {figure.find_element('css selector', '.of-class').text}"
        for figure in chosen.find_elements("css selector", "#example-list figure")
        if figure.is_displayed()
    ]
    named = [item.text for item in chosen.find_elements("css selector", "#example-names li")]
    assert sorted([*pictured, *named]) == sorted(texts)
    assert pictured
    assert named
    assert chosen.switch_to.active_element.get_attribute("id") == "worst-title"


def test_a_class_without_images_shows_none(chosen):
    chosen.execute_script("document.querySelector('[data-class=\"3\"]').click()")
    assert shown_images(chosen) == []
    assert found(chosen, "#example-said").text == f"0 images with the lowest IoU of {NAMES[3]}."


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    preds, target = batch()
    metric = PairedComparison(
        SegmentationMetrics(CLASSES, ignore_index=IGNORED, class_names=NAMES, per_class=True), replicates=100
    )
    metric.update(preds, torch.where(target == 0, 0, preds), target)
    images = [ImageChange(f"{place}{EVIL}", 0.5, place / 20) for place in range(20)]
    photo = np.full((*target.shape[1:], 3), 99, np.uint8)
    maps = ComparedMaps(preds[0].numpy(), torch.where(target == 0, 0, preds)[0].numpy(), target[0].numpy(), photo)
    images[19], images[0] = images[19]._replace(maps=maps), images[0]._replace(maps=maps._replace(image=None))
    path = tmp_path_factory.mktemp("compared") / "compared.html"
    shown = {"images": images, "notes": [EVIL], "num_classes": CLASSES, "ignore_index": [IGNORED]}
    write_report(ComparisonReport(metric.compute(), (EVIL, "B & C"), **shown), path)
    return path


def test_a_comparison_is_sorted_and_escaped(driver, compared):
    opened(driver, compared)
    names = column(driver, "classes-table", 0)
    assert [name.removesuffix(" better") for name in names] == NAMES
    assert names[0] == "road better"
    for table in ("classes-table", "gained-table"):
        header(driver, table, 3).find_element("tag name", "button").click()
        rising = numbers(column(driver, table, 3))
        assert rising == sorted(rising)
        assert len(set(rising)) > 2
    assert len(column(driver, "lost-table", 0)) == 5
    assert column(driver, "lost-table", 0)[0] == f"0{EVIL}"
    assert logged(driver) == []


def test_a_comparison_shows_pictures_over_the_photo(driver, compared):
    opened(driver, compared)
    pictures = driver.find_elements("css selector", "#images figure img")
    assert len(pictures) == 8
    assert all(driver.execute_script("return arguments[0].naturalWidth", picture) for picture in pictures)
    strength = "return getComputedStyle(document.querySelector('.A.on-image img')).opacity"
    assert driver.execute_script(strength) == "0.6"
    slider = found(driver, "#opacity")
    driver.execute_script("arguments[0].value = 25; arguments[0].dispatchEvent(new Event('input'))", slider)
    assert driver.execute_script(strength) == "0.25"
    of_change = "return getComputedStyle(document.querySelector('.change.on-image img')).opacity"
    assert driver.execute_script(of_change) == "1"
    assert logged(driver) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_long_names_of_classes_make_no_page_wider(driver, tmp_path, width):
    names = ["W" * 90, "a_b" * 30, "road", "x " * 45]
    write_report(report(names=names), tmp_path / "long.html")
    opened(driver, tmp_path / "long.html", width)
    assert not scrolls_sideways(driver)


@pytest.mark.parametrize("width", [375, 1200])
def test_no_column_of_a_comparison_is_cut(driver, compared, width):
    opened(driver, compared, width)
    assert not scrolls_sideways(driver)
    script = "return [...document.querySelectorAll('table')].map(table => table.scrollWidth - table.parentElement.clientWidth)"
    assert max(driver.execute_script(script)) <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_of_a_comparison_has_contrast(driver, compared, scheme):
    test_text_has_contrast(driver, compared, scheme)
