"""The options of the shell for the page: photos, title and the name of the model."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segiou.evaluation.photos import read_photo
from tests.helpers.report_cases import Page
from tests.helpers.shell_cases import SIZE, THREE, plain, run

PAGE = ["--report", "page.html", "--images", "photos", "--worst", "9"]


@pytest.fixture(autouse=True)
def _photos(folders):
    for path in Path("gt").rglob("*.png"):
        photo = Path("photos", path.parent.name, path.name.replace("_gt.png", ".jpg"))
        photo.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*SIZE, 3), (200, 100, 50), np.uint8)).save(photo, quality=95)


def shown() -> list[np.ndarray]:
    found = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", Path("page.html").read_text())
    return [np.array(Image.open(io.BytesIO(base64.b64decode(data)))) for data in found]


def test_photos_are_shown_beside_the_masks():
    run("evaluate", "a", "gt", *THREE, *PAGE)
    photos = shown()
    assert len(photos) == 9
    assert all(photo.shape == (*SIZE, 3) for photo in photos)
    assert np.abs(photos[0].astype(int) - (200, 100, 50)).max() < 10


def test_names_of_photos_may_end_with_a_suffix():
    for path in list(Path("photos").rglob("*.jpg")):
        path.rename(path.with_stem(f"{path.stem}_photo"))
    found = run("evaluate", "a", "gt", *THREE, *PAGE, code=2)
    assert "pass --image-suffix" in plain(found.output)
    for suffix in ("_photo", "_photo.jpg"):
        run("evaluate", "a", "gt", *THREE, *PAGE, "--image-suffix", suffix)
        assert len(shown()) == 9


def test_a_photo_that_cannot_be_shown_is_named():
    photos = sorted(Path("photos").rglob("*.jpg"))
    photos[0].unlink()
    photos[1].write_bytes(photos[1].read_bytes()[:100])
    Image.new("RGB", (3, 2)).save(photos[2])
    found = run("evaluate", "a", "gt", *THREE, *PAGE, code=1)
    page = Path("page.html").read_text()
    reasons = (
        "no photo of this name",
        "the photo cannot be read",
        "the photo must have the size of its label, 6x8, got 2x3",
    )
    for reason in reasons:
        assert reason in found.stderr
        assert reason in page
    assert len(shown()) == 6


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "I;16"])
def test_photos_of_other_kinds_are_shown(mode):
    values = np.arange(48).reshape(SIZE)
    picture = Image.fromarray((values * 1000).astype(np.uint16)) if mode == "I;16" else Image.new("RGB", SIZE[::-1])
    for path in Path("photos").rglob("*.jpg"):
        path.unlink()
        (picture if mode == "I;16" else picture.convert(mode)).save(path.with_suffix(".png"))
    run("evaluate", "a", "gt", *THREE, *PAGE)
    assert len(shown()) == 9
    assert (shown()[0].max() > 200) == (mode == "I;16")


@pytest.mark.parametrize(
    ("stored", "orientation", "corner"),
    [
        (SIZE, 3, (-1, -1)),  # turned by half
        (SIZE[::-1], 6, (0, -1)),  # turned by a quarter, and of the label's size thereafter
        (SIZE, 6, (0, 0)),  # of the label's size as it is stored
    ],
)
def test_a_photo_is_turned_where_it_then_has_the_size_of_the_label(tmp_path, stored, orientation, corner):
    pixels = np.zeros((*stored, 3), np.uint8)
    pixels[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    found = read_photo(tmp_path / "turned.png", SIZE)
    assert found.shape == (*SIZE, 3)
    assert found[corner].tolist() == [255] * 3
    assert found.sum() == 3 * 255


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--images", "photos"], "--images is for the page of --report"),
        (["--title", "x"], "--title is for the page of --report"),
        (["--report", "page.html", "--image-suffix", "x"], "--image-suffix is for --images"),
        (["--report", "page.html", "--images", "nowhere"], "nowhere does not exist"),
        (["--report", "photos/0/0.jpg", "--images", "photos"], "is a file of the input"),
        (
            ["--report", "page.html", "--images", "photos", "--worst", "0"],
            "--images is for the images of --worst, got 0",
        ),
    ],
)
def test_options_that_do_not_fit(options, reason):
    before = Path("photos/0/0.jpg").read_bytes()
    found = run("evaluate", "a", "gt", *THREE, *options, code=2)
    assert reason in plain(found.output)
    assert Path("photos/0/0.jpg").read_bytes() == before


def test_the_page_says_what_it_is_of():
    run("evaluate", "a", "gt", *THREE, *PAGE, "--title", "A <b>title</b>", "--model-name", "my & net")
    page = Path("page.html").read_text()
    assert "<title>A &lt;b&gt;title&lt;/b&gt;</title>" in page
    assert "my &amp; net" in page
    assert re.search(r"<dt>Made</dt><dd>\d{4}-\d\d-\d\d ", page)
    assert "<dt>Command</dt>" in page


def test_compare_writes_a_page():
    more = ["--report", "page.html", "--json", "out.json", "--most", "2"]
    run("compare", "a", "b", "gt", *THREE, *more, "--model-name", "old <net>", "--model-name", "new")
    found = json.loads(Path("out.json").read_text())
    shown = Page(Path("page.html").read_text())
    assert "A is old <net>, B is new." in shown.text
    assert "Ignored values 255 in files: pixels with such a label are not counted" in shown.text
    assert "Labels outside the classes files that hold such values are not scored, and named" in shown.text
    assert "Absent classes a class that is in neither target nor prediction has no score" in shown.text
    assert "Of 9 images: intervals of fewer than about 50 images are too narrow." in shown.text
    rows = {row[0].removesuffix(" better").removesuffix(" worse"): row[1:] for row in shown.tables["classes-table"][1:]}
    for place, name in enumerate(("class 0", "class 1", "class 2")):
        a, b = (found[model]["classes"][place]["IoU"] for model in "ab")
        difference = found["differences"][f"IoU/{found['a']['classes'][place]['name']}"]
        bounds = f"{difference['low']:+.4f} to {difference['high']:+.4f}"
        expected = [f"{a:.4f}", f"{b:.4f}", f"{difference['value']:+.4f}", bounds, f"{difference['p_value']:.4f}"]
        assert rows[found["a"]["classes"][place]["name"]] == expected, name
    changes = {
        a["name"]: b["mIoU"] - a["mIoU"] for a, b in zip(found["a"]["images"], found["b"]["images"], strict=True)
    }
    order = sorted(changes, key=lambda name: -changes[name])
    gained, lost = (shown.tables.get(f"{direction}-table", [])[1:] for direction in ("gained", "lost"))
    assert [row[0] for row in gained] == [name for name in order[:2] if changes[name] > 0]
    assert [row[0] for row in lost] == [name for name in order[::-1][:2] if changes[name] < 0]
    assert len(gained) == 2


def test_compare_shows_the_images_that_changed_most():
    """The picture of the change has the colour of the better model where one model alone is right."""
    run("compare", "a", "b", "gt", *THREE, "--report", "page.html", "--images", "photos", "--most", "2")
    html = Path("page.html").read_text().replace("<wbr>", "")
    figures = re.findall(r"<figure.*?<h4>(.*?)</h4>(.*?)</figure>", html, re.S)
    moved = [row[0] for name in ("gained", "lost") for row in Page(html).tables.get(f"{name}-table", [])[1:]]
    assert [name for name, _ in figures] == moved
    assert len(shown()) == len(moved)
    for name, figure in figures:
        pictures = [np.array(picture) for picture in pngs(figure)]
        label, a, b, change = pictures
        a_right, b_right = ((each == label).all(-1) for each in (a, b))
        counted = label[..., 3] > 0
        assert counted.any(), name
        for colour, places in {
            (31, 111, 178, 255): counted & b_right & ~a_right,
            (217, 72, 15, 255): counted & a_right & ~b_right,
            (214, 168, 60, 255): counted & ~a_right & ~b_right,
            (0, 0, 0, 0): counted & a_right & b_right,
            (128, 128, 128, 150): ~counted,
        }.items():
            assert ((change == colour).all(-1) == places).all(), (name, colour)


def pngs(text: str) -> list[Image.Image]:
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", text)
    return [Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA") for data in found]


def test_compare_names_a_photo_that_it_cannot_show():
    for path in Path("photos").rglob("*.jpg"):
        Image.new("RGB", (3, 2)).save(path)
    found = run("compare", "a", "b", "gt", *THREE, "--report", "page.html", "--images", "photos", code=1)
    assert "the photo must have the size of its label" in plain(found.output)
    assert "the photo must have the size of its label" in Path("page.html").read_text()
    assert len(pngs(Path("page.html").read_text())) >= 4


def test_compare_of_volumes_writes_a_page_without_pictures():
    for folder in ("volume_a", "volume_b", "volume_gt"):
        Path(folder).mkdir()
        for name in ("0", "1"):
            np.save(Path(folder, name), np.full((2, 3, 4), folder == "volume_a", np.uint8))
    run("compare", "volume_a", "volume_b", "volume_gt", "--num-classes", "2", "--report", "page.html")
    page = Path("page.html").read_text()
    assert "gained-table" in page
    assert "<figure" not in page


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--images", "photos"], "--images is for the page of --report"),
        (["--report", "page.html", "--image-suffix", "x"], "--image-suffix is for --images"),
        (["--title", "x"], "--title is for the page of --report"),
        (["--report", "page.html", "--model-name", "x"], "--model-name must be given twice, for A and for B, got 1"),
        (["--report", "page.html", "--images", "photos", "--most", "0"], "--images is for the images of --most, got 0"),
        (["--report", "page.html", "--title", "  "], "--title must not be empty"),
        (["--report", "gt/0/0_gt.png"], "is a file of the input"),
    ],
)
def test_options_of_the_page_of_compare_that_do_not_fit(options, reason):
    before = Path("gt/0/0_gt.png").read_bytes()
    assert reason in plain(run("compare", "a", "b", "gt", *THREE, *options, code=2).output)
    assert Path("gt/0/0_gt.png").read_bytes() == before


def test_groups_and_classes_are_on_one_page():
    Path("groups.json").write_text('{"low": [0, 1], "high": [2]}')
    more = ["--groups", "groups.json", "--report", "page.html", "--json", "out.json"]
    run("evaluate", "a", "gt", *THREE, *more)
    found = json.loads(Path("out.json").read_text())
    tables = Page(Path("page.html").read_text()).tables
    assert len(tables["class-table"]) == 5
    rows = [row[1:3] for row in tables["group-table"][1:-1]]
    assert rows == [[group["name"], f"{group['IoU']:.4f}"] for group in found["groups"]]
    run("compare", "a", "b", "gt", *THREE, "--groups", "groups.json", "--report", "page.html")
    assert [row[0].split()[0] for row in Page(Path("page.html").read_text()).tables["groups-table"][1:]] == [
        "low",
        "high",
    ]


@pytest.mark.parametrize(
    ("options", "ignored"),
    [
        (["--ids", "0:0,1:1,2:2", "--num-classes", "3", "--ignore-index", "255"], "255 in files"),
        (
            ["--num-classes", "2", "--reduce-zero-label", "--pred-ids", "1:0,2:1,0:0", "--ignore-index", "255"],
            "0, 255 in",
        ),
        (["--num-classes", "3", "--ignore-index", "255", "--ignore-index", "nan"], "255, nan in files"),
    ],
)
def test_the_page_names_the_ignored_values_of_files(options, ignored):
    files = ["--pred-suffix", "_pred", "--label-suffix", "_gt"]
    run("evaluate", "a", "gt", *files, *options, "--report", "page.html", "--json", "out.json")
    assert f"Ignored values {ignored}" in Page(Path("page.html").read_text()).text
    values = [
        value if value == "nan" else int(value)
        for value in ignored.removesuffix(" files").removesuffix(" in").split(", ")
    ]
    assert json.loads(Path("out.json").read_text())["ignored_values"] == values


def test_the_page_says_what_groups_are():
    Path("groups.json").write_text('{"whole": [0, 1], "core": [1]}')
    run("evaluate", "a", "gt", *THREE, "--groups", "groups.json", "--report", "page.html")
    assert "Groups whole = 0, 1; core = 1" in Page(Path("page.html").read_text()).text
    run("compare", "a", "b", "gt", *THREE, "--groups", "groups.json", "--report", "page.html", "--json", "out.json")
    shown = Page(Path("page.html").read_text())
    assert "Groups whole = 0, 1; core = 1" in shown.text
    found = json.loads(Path("out.json").read_text())["group_differences"]["mIoU"]
    rows = {row[0].split()[0]: row for row in shown.tables["group-score-table"][1:]}
    assert rows["mIoU"][3] == f"{found['value']:+.4f}"


@pytest.mark.parametrize("shape", [(2, 5000), (5000, 2), (1, 801), (3, 401), (1, 1)])
def test_images_of_any_form_are_on_the_page(shape):
    for folder in ("flat_a", "flat_b", "flat_gt"):
        Path(folder).mkdir()
        for name in ("0", "1"):
            np.save(Path(folder, name), np.full(shape, folder == "flat_a", np.uint8))
    run("evaluate", "flat_a", "flat_gt", "--num-classes", "2", "--report", "page.html")
    assert len(pngs(Path("page.html").read_text())) == 6
    run("compare", "flat_a", "flat_b", "flat_gt", "--num-classes", "2", "--report", "page.html")
    found = pngs(Path("page.html").read_text())
    assert len(found) == 8
    assert all(min(picture.size) >= 1 and max(picture.size) <= 400 for picture in found)


def test_the_page_shows_images_of_each_choice():
    run("evaluate", "a", "gt", *THREE, "--report", "page.html", "--worst", "1", "--json", "out.json")
    values = sorted((image["mIoU"], image["name"]) for image in json.loads(Path("out.json").read_text())["images"])
    html = Path("page.html").read_text().replace("<wbr>", "")
    data = json.loads(re.search(r'id="example-data">(.*?)</script>', html).group(1))
    figures = re.findall(r"<figcaption><h3>(.*?)</h3>", html)
    named = {choice: [figures[place] for place in places] for choice, places in data["choices"].items()}
    assert [named[choice] for choice in ("worst", "best", "median")] == [[values[place][1]] for place in (0, 8, 4)]
    assert len(named["random"]) == 1
    first = [ranks[0] for ranks in sorted(data["ranks"], key=lambda ranks: ranks[0][1])]  # the lowest class first
    assert named["class"] == list(dict.fromkeys(name for name, _, _ in first))[:2]
    assert first[0][2] is not None
