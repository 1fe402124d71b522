"""What the shell writes and to where: nothing of the input is lost, nothing is lost without a word."""

import csv
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import segiou.evaluation.evaluate
from tests.helpers.shell_cases import FILES, THREE, environment, expected_miou, plain, run, write


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def shell(*arguments: str, **how) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "segiou", *arguments]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, **how)


INPUTS = {
    "a prediction": ["--json", "a/0/0_pred.png"],
    "a label": ["--csv", "gt/0/0_gt.png"],
    "a mask that does not pair": ["--json", "a/alone.png"],
    "by a link": ["--json", "link.json"],
    "by a hard link": ["--json", "hard.json"],
    "by another way": ["--json", "a/../a/0/0_pred.png"],
    "JPEG": ["--csv", "gt/0/refused.jpg"],
    "names": ["--names", "names.json", "--json", "names.json"],
    "groups": ["--groups", "groups.json", "--csv", "groups.json"],
}


@pytest.mark.parametrize("case", INPUTS)
def test_a_file_of_the_input_is_never_written_to(folders, monkeypatch, case):
    monkeypatch.setattr(segiou.evaluation.evaluate, "read_mask", pytest.fail)
    write(Path("a/alone.png"), __import__("numpy").zeros((2, 2)))
    Path("gt/0/refused.jpg").write_bytes(b"a mask that is named as refused")
    Path("link.json").symlink_to("gt/0/0_gt.png")
    os.link("gt/0/0_gt.png", "hard.json")
    Path("names.json").write_text('["x", "y", "z"]')
    Path("groups.json").write_text('{"g": [0, 1, 2]}')
    before = contents(folders)
    error = run("evaluate", "a", "gt", *THREE, *INPUTS[case], code=2).stderr
    assert "is a file of the input, which would be lost: write to another" in plain(error)
    assert contents(folders) == before


def test_a_label_file_is_a_file_of_the_input(folders):
    run("labels", "ade20k", "--json")
    Path("mine.json").write_text('{"class_names": ["x", "y", "z"], "ignore_index": 255}')
    error = run("evaluate", "a", "gt", *FILES, "--labels", "mine.json", "--json", "mine.json", code=2).stderr
    assert "--json mine.json is a file of the input" in plain(error)


def test_what_was_written_before_is_replaced_also_in_a_folder_of_the_input(folders):
    for _ in range(2):
        run("evaluate", "a", "gt", *THREE, "--json", "a/out.json")
    assert json.loads(Path("a/out.json").read_text())["scores"]["mIoU"] == expected_miou(folders)


def test_two_outputs_are_two_files(folders):
    Path("old.json").touch()
    Path("link.csv").symlink_to("old.json")
    for one, other in (("out", "./out"), ("old.json", "link.csv"), ("-", "-"), ("-", "/dev/stdout")):
        error = run("evaluate", "a", "gt", *THREE, "--json", one, "--csv", other, code=2).stderr
        assert "--json and --csv would write to the same place" in plain(error)
    run("evaluate", "a", "gt", *THREE, "--json", "/dev/null", "--csv", "/dev/null")


def test_the_standard_output_takes_json_alone(folders):
    for name in ("-", "/dev/stdout"):
        found = shell("evaluate", "a", "gt", *THREE, "--json", name)
        assert json.loads(found.stdout)["scores"]["mIoU"] == expected_miou(folders)
        assert "mIoU  " in found.stderr
    with open("out.txt", "w") as file:
        subprocess.run(
            [sys.executable, "-m", "segiou", "evaluate", "a", "gt", *THREE, "--csv", "/dev/stdout"],
            env=environment(), stdout=file, check=True,
        )  # fmt: skip
    rows = csv.DictReader(Path("out.txt").read_text().splitlines())
    assert [row["name"] for row in rows] == ["0", "1", "2"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_a_full_device_is_an_error_and_stays_a_device(folders):
    found = shell("evaluate", "a", "gt", *THREE, "--json", "/dev/full")
    assert found.returncode == 1
    assert "Error: /dev/full could not be written: [Errno 28] No space left on device" in found.stderr
    assert "mIoU" in found.stdout
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize(("output", "status"), [("> /dev/full", 1), (">&-", 0), ("| head -1", 0)])
def test_a_screen_that_takes_nothing_costs_no_file(folders, output, status):
    for command in ("evaluate a", "compare a b"):
        for name in ("out.json", "page.html"):
            Path(name).unlink(missing_ok=True)
        line = f"{sys.executable} -m segiou {command} gt {' '.join(THREE)} --json out.json --report page.html {output}"
        found = subprocess.run(line, shell=True, env=environment(), capture_output=True, text=True)
        assert found.returncode == status, found.stderr
        assert "Traceback" not in found.stderr
        assert "Exception" not in found.stderr
        assert json.loads(Path("out.json").read_text())["images_scored"] == 9
        assert Path("page.html").read_text().endswith("</html>\n") or Path("page.html").read_text().endswith("</html>")
        if status:
            assert "Error: the standard output could not be written: No space left on device" in found.stderr
    if status:
        found = subprocess.run(
            f"{sys.executable} -m segiou labels {output}", shell=True, env=environment(), capture_output=True, text=True
        )
        assert (found.returncode, found.stderr) == (1, "Error: [Errno 28] No space left on device\n")


def test_a_pipe_is_written_to(folders):
    os.mkfifo("pipe")
    read = []
    thread = threading.Thread(target=lambda: read.append(Path("pipe").read_bytes()))
    thread.start()
    run("evaluate", "a", "gt", *THREE, "--json", "pipe")
    thread.join()
    assert json.loads(read[0])["scores"]["mIoU"] == expected_miou(folders)
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


def test_a_link_stays_and_the_file_that_it_leads_to_is_replaced(folders):
    Path("there").mkdir()
    Path("there/real.json").write_text("old")
    Path("out.json").symlink_to("there/real.json")
    run("evaluate", "a", "gt", *THREE, "--json", "out.json")
    assert Path("out.json").is_symlink()
    assert json.loads(Path("there/real.json").read_text())["pairs"] == 9


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_loses_nothing_that_was_scored(folders, monkeypatch, number, code):
    original = segiou.evaluation.evaluate.Counter.__call__
    seen = []

    def count(self, item):
        seen.append(item)
        if len(seen) == 4:
            os.kill(os.getpid(), number)
        return original(self, item)

    monkeypatch.setattr(segiou.evaluation.evaluate.Counter, "__call__", count)
    found = run("evaluate", "a", "gt", *THREE, "--workers", "1", "--json", "out.json", code=code)
    written = json.loads(Path("out.json").read_text())
    assert written["partial"]
    assert 0 < written["images_scored"] < 9
    assert f"PARTIAL: interrupted after {written['images_scored']} image" in found.stderr
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_the_third_sigterm_is_as_usual():
    with segiou.evaluation.evaluate.interrupts() as seen:
        for _ in range(2):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(SystemExit, match="143"):
            signal.raise_signal(signal.SIGTERM)
    assert seen == [signal.SIGTERM] * 3


# ---- classes and groups in one run


GROUPS = {"left": ["x", 1], "right": ["z"]}


@pytest.fixture
def grouped(folders):
    Path("groups.json").write_text(json.dumps(GROUPS))
    Path("names.txt").write_text("x\ny\nz\n")
    return ["--names", "names.txt", "--groups", "groups.json", "--ignore-index", "255", *FILES]


def by_hand(pred: str, groups: dict[str, set[int]] | None = None) -> dict[str, float]:
    """IoU of classes and of groups, or of these groups, by a loop over all pixels."""
    import numpy as np
    from PIL import Image

    sets = groups or {"x": {0}, "y": {1}, "z": {2}, "left": {0, 1}, "right": {2}}
    hits, unions = dict.fromkeys(sets, 0), dict.fromkeys(sets, 0)
    for path in Path("gt").rglob("*.png"):
        other = Path(pred, path.parent.name, path.name.replace("_gt", "_pred"))
        both = (np.array(Image.open(each)).ravel().tolist() for each in (other, path))
        for p, t in zip(*both, strict=True):
            for name, members in sets.items():
                if t != 255:
                    hits[name] += p in members and t in members
                    unions[name] += p in members or t in members
    return {name: hits[name] / unions[name] for name in sets}


def test_classes_and_groups_are_scored_in_one_run(grouped):
    found = run("evaluate", "a", "gt", *grouped, "--ci", "--boundary", "--json", "out.json", "--csv", "out.csv")
    written, expected = json.loads(Path("out.json").read_text()), by_hand("a")
    rows = {row["name"]: row for row in [*written["classes"], *written["groups"]]}
    assert {name: row["IoU"] for name, row in rows.items()} == pytest.approx(expected, abs=1e-6)
    means = [sum(expected[name] for name in names) / len(names) for names in (("x", "y", "z"), ("left", "right"))]
    assert written["scores"]["mIoU"] == pytest.approx(means[0], abs=1e-6)
    assert written["group_scores"]["mIoU"] == pytest.approx(means[1], abs=1e-6)
    assert written["groups_from"] == "groups.json"
    for name, number in (("intervals", "scores"), ("group_intervals", "group_scores")):
        assert written[name]["mIoU"]["low"] < written[number]["mIoU"] < written[name]["mIoU"]["high"]
    assert all(0 <= image["group_mIoU"] <= 1 for image in written["images"])
    with open("out.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["kind"], row["name"]) for row in table] == [
        *(("class", name) for name in "xyz"), ("group", "left"), ("group", "right"),
    ]  # fmt: skip
    assert [row["IoU"] for row in table] == [str(row["IoU"]) for row in rows.values()]
    lines = found.stdout.splitlines()
    assert [line.split()[0] for line in lines if line.startswith((" class", " group"))] == ["class", "group"]
    assert [line.split()[1] for line in lines if line.startswith("mIoU  ")] == [f"{mean:.4f}" for mean in means]
    for name, row in rows.items():
        assert any(line.split()[:2] == [name, f"{row['IoU']:.4f}"] for line in lines if line.startswith(" "))


def test_what_is_left_out_of_means_is_a_class_or_a_group(grouped):
    run("evaluate", "a", "gt", *grouped, "--exclude", "x", "--exclude", "left", "--json", "out.json")
    written, expected = json.loads(Path("out.json").read_text()), by_hand("a")
    assert written["scores"]["mIoU"] == pytest.approx((expected["y"] + expected["z"]) / 2, abs=1e-6)
    assert written["group_scores"]["mIoU"] == pytest.approx(expected["right"], abs=1e-6)
    error = run("evaluate", "a", "gt", *grouped, "--exclude", "w", code=2).stderr
    assert "exclude must hold ids of the 3 classes" in plain(error)


@pytest.mark.parametrize("groups", [{"left": [0, 1], "right": [1, 2]}, {"one": [1]}, {"all": [0, 1, 2], "two": [2]}])
def test_groups_may_share_classes_and_leave_some_out(grouped, groups):
    """As the nested regions of tumours do; scores of a whole matrix are left out."""
    Path("groups.json").write_text(json.dumps(groups))
    more = ["--ci", "--json", "out.json", "--report", "page.html"]
    run("evaluate", "a", "gt", *grouped, *more)
    written = json.loads(Path("out.json").read_text())
    expected = by_hand("a", {name: set(members) for name, members in groups.items()})
    for row in written["groups"]:
        assert row["IoU"] == pytest.approx(expected[row["name"]], abs=1e-6)
    assert written["group_scores"]["mIoU"] == pytest.approx(sum(expected.values()) / len(groups), abs=1e-6)
    assert "PixelAccuracy" in written["scores"]
    assert {"PixelAccuracy", "CohenKappa", "MatthewsCorrCoef"}.isdisjoint(written["group_scores"])
    run("compare", "a", "b", "gt", *grouped, "--json", "out.json")
    written = json.loads(Path("out.json").read_text())
    of_b = by_hand("b", {name: set(members) for name, members in groups.items()})
    for name in groups:
        difference = written["group_differences"][f"IoU/{name}"]["value"]
        assert difference == pytest.approx(of_b[name] - expected[name], abs=1e-6)


def test_boundaries_of_groups_that_share_a_class_are_refused_before_the_work(grouped, monkeypatch):
    monkeypatch.setattr(segiou.evaluation.evaluate, "read_mask", pytest.fail)
    Path("groups.json").write_text('{"left": [0, 1], "right": [1, 2]}')
    error = run("evaluate", "a", "gt", *grouped, "--boundary", code=2).stderr
    assert "BoundaryIoU makes one map of all groups, so none may share a class, got class 1 ('y') in 2" in plain(error)


def test_compare_shows_both_and_says_by_what_it_sorts(grouped):
    found = run("compare", "a", "b", "gt", *grouped, "--json", "out.json").stdout
    written, a, b = json.loads(Path("out.json").read_text()), by_hand("a"), by_hand("b")
    for name in "xyz":
        assert written["differences"][f"IoU/{name}"]["value"] == pytest.approx(b[name] - a[name], abs=1e-6)
    for name in GROUPS:
        assert written["group_differences"][f"IoU/{name}"]["value"] == pytest.approx(b[name] - a[name], abs=1e-6)
    assert "classes are sorted by B - A, the greatest gain first" in found
    assert "groups are sorted by B - A, the greatest gain first" in found
    assert "sorted by the size of B - A, whatever its sign" in found
    gains = [line.split()[0] for line in found.splitlines() if line.startswith(" IoU/")]
    expected = sorted("xyz", key=lambda name: a[name] - b[name])
    assert [name for name in gains if name[4:] in "xyz"] == [f"IoU/{name}" for name in expected]


# ---- start-up


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["evaluate", "--help"], ["compare", "--help"], ["labels"], ["labels", "ade20k"], ["--version"]],
)
def test_what_needs_no_torch_does_not_load_it(arguments):
    code = (
        "import sys\nfrom segiou.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment(), capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines()[-1] == "False False"


def test_labels_prints_a_file_to_start_from(tmp_path, monkeypatch):
    from segiou import LabelSet

    monkeypatch.chdir(tmp_path)
    Path("mine.json").write_text(run("labels", "cityscapes", "--json").stdout)
    assert LabelSet.load("mine.json") == LabelSet.of("cityscapes")
    assert run("labels", "mine.json").stdout == run("labels", "cityscapes").stdout
    assert "--json is for one label set: pass its name" in plain(run("labels", "--json", code=2).stderr)
    assert "none.json" in plain(run("labels", "none.json", code=2).stderr)


def test_masks_of_more_pixels_than_are_allowed_are_named(folders):
    found = run("evaluate", "a", "gt", *THREE, "--max-pixels", "47", code=1)
    assert "9 could not be scored:" in found.stderr
    assert "is 6x8, 48 pixels, and --max-pixels allows 47" in found.stderr
    run("evaluate", "a", "gt", *THREE, "--max-pixels", "48")
