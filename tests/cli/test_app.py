"""The commands as a user has them: what they print and write, and with which status they end."""

import csv
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import segiou.cli.outputs
import segiou.evaluation.evaluate
from segiou import LabelSet, MeanIoU, PairedComparison
from segiou.cli.options import Options, names_from
from tests.helpers.shell_cases import FILES, SIZE, THREE, environment, expected_miou, plain, run, write


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")


def test_evaluate_prints_a_table_and_writes_json_and_csv(folders):
    found = run("evaluate", "a", "gt", *THREE, "--json", "out.json", "--csv", "out.csv", "--worst", "2")
    written = json.loads(Path("out.json").read_text())
    assert written["scores"]["mIoU"] == expected_miou(folders)
    assert f"mIoU                 {expected_miou(folders):.4f}" in found.stdout
    assert re.search(r"9 images in \d+\.\d s, \d+\.\d images/s", found.stderr)
    assert (written["pred"], written["label"], written["pairs"], written["images_scored"]) == ("a", "gt", 9, 9)
    assert (written["num_classes"], written["ignore_index"], written["partial"]) == (3, [255], False)
    worst = sorted(written["images"], key=lambda image: image["mIoU"])[:2]
    assert [f"  {image['mIoU']:.4f}  {image['name']}" for image in worst] == found.stdout.splitlines()[-2:]
    with open("out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["0", "1", "2"]
    for row, known in zip(rows, written["classes"], strict=True):
        assert row == {name: str(value) for name, value in known.items()}
        assert re.search(rf"^ {known['name']} +{known['IoU']:.4f} .* {known['target']:,} $", found.stdout, re.M)
    assert sum(map(sum, written["confusion"])) == 9 * SIZE[0] * SIZE[1]


def test_intervals_boundaries_and_groups(folders):
    Path("groups.json").write_text('{"left": ["x", 1], "right": ["z"]}')
    Path("names.txt").write_text("x\ny\nz\n")
    options = ["--names", "names.txt", "--groups", "groups.json", "--ci", "--boundary", "--json", "out.json"]
    found = run("evaluate", "a", "gt", *FILES, "--ignore-index", "255", *options)
    written = json.loads(Path("out.json").read_text())
    assert [row["name"] for row in written["classes"]] == ["x", "y", "z"]
    assert [row["name"] for row in written["groups"]] == ["left", "right"]
    for row in [*written["classes"], *written["groups"]]:
        assert row["IoU_low"] < row["IoU"] < row["IoU_high"]
        assert 0 < row["BoundaryIoU"] < 1
        assert f"{row['IoU_low']:.4f} to {row['IoU_high']:.4f}" in found.stdout
    interval = written["intervals"]["mIoU"]
    assert interval["low"] < written["scores"]["mIoU"] < interval["high"]
    assert f"  {interval['low']:.4f} to {interval['high']:.4f}" in found.stdout
    assert "Boundary" in found.stdout


def test_what_is_excluded_absent_or_void_is_said(folders):
    for name in ("a", "gt"):
        for path in Path(name).rglob("*.png"):
            values = np.array(Image.open(path))
            write(path, np.where(values == 2, 255 if name == "a" else 1, values))
    found = run("evaluate", "a", "gt", *THREE, "--exclude", "0", "--json", "out.json")
    written = json.loads(Path("out.json").read_text())
    assert [row["IoU"] is None for row in written["classes"]] == [False, False, True]
    assert written["scores"]["mIoU"] == written["classes"][1]["IoU"]
    assert "0 *" in found.stdout
    assert "*: not in means" in found.stdout
    assert "-: nothing to divide by, left out of means" in found.stdout
    void = sum(row[-1] for row in written["confusion"][:-1])
    assert f"{void:,} of 414 counted pixels are predicted as no class, and are misses" in found.stdout
    run("evaluate", "a", "gt", *THREE, "--absent", "1", "--json", "out.json")
    assert json.loads(Path("out.json").read_text())["classes"][2]["IoU"] == 1


def test_one_file_each(folders):
    run("evaluate", "a/0/0_pred.png", "gt/0/0_gt.png", *THREE[:4], "--json", "out.json")
    assert json.loads(Path("out.json").read_text())["images"][0]["name"] == "0_gt"


def test_raw_ids_and_class_ids_of_a_label_set(folders):
    labels = LabelSet.of("cityscapes")
    for path in Path("gt").rglob("*.png"):
        write(path, labels.decode(np.array(Image.open(path))))
    run("evaluate", "a", "gt", "--labels", "cityscapes", "--pred-class-ids", *FILES, "--json", "out.json")
    written = json.loads(Path("out.json").read_text())
    assert written["scores"]["mIoU"] == expected_classes(folders, labels)
    found = run("evaluate", "a", "gt", "--labels", "cityscapes", *FILES)
    assert "414 of 414 counted pixels are predicted as no class, and are misses; does PRED hold" in found.stdout
    write(Path("gt/0/0_gt.png"), np.full(SIZE, 19))
    found = run("evaluate", "a", "gt", "--labels", "cityscapes", "--label-class-ids", *FILES, code=1)
    assert "1 could not be scored:\n  0/0: gt/0/0_gt.png: values must be class ids" in found.stderr
    run("evaluate", "a", "gt", "--labels", "cityscapes", "--groups", "preset", "--pred-class-ids", *FILES)


def expected_classes(folders: Path, labels: LabelSet) -> float:
    metric = MeanIoU(labels)
    for path in sorted((folders / "gt").rglob("*.png")):
        other = folders / "a" / path.parent.name / path.name.replace("_gt", "_pred")
        metric.update(np.array(Image.open(other))[None], labels.encode(np.array(Image.open(path)))[None])
    return float(metric.compute())


def test_a_label_of_zero_may_be_the_ignored_one(folders):
    for path in Path("gt").rglob("*.png"):
        write(path, np.array(Image.open(path)) + 1)  # 255 becomes 0
    arguments = ["--num-classes", "3", "--reduce-zero-label", *FILES, "--json", "out.json"]
    run("evaluate", "a", "gt", *arguments)
    written = json.loads(Path("out.json").read_text())
    assert written["scores"]["mIoU"] == expected_reduced(folders)
    assert sum(written["confusion"][-1]) == 9 * 2


def expected_reduced(folders: Path) -> float:
    metric = MeanIoU(3, ignore_index=-1)
    for path in sorted((folders / "gt").rglob("*.png")):
        other = folders / "a" / path.parent.name / path.name.replace("_gt", "_pred")
        target = np.array(Image.open(path)).astype(int) - 1
        metric.update(np.array(Image.open(other))[None], target[None])
    return float(metric.compute())


def spoil() -> None:
    Path("a/0/0_pred.png").write_bytes(b"no image")
    write(Path("a/1/1_pred.png"), np.zeros((2, 2)))
    Path("gt/0/2_gt.png").unlink()


def test_bad_files_are_named_the_rest_is_scored_and_the_status_is_1(folders):
    spoil()
    found = run("evaluate", "a", "gt", *THREE, "--json", "out.json", code=1)
    written = json.loads(Path("out.json").read_text())
    assert [failure["name"] for failure in written["failures"]] == ["0/0", "0/2", "1/1"]
    assert written["images_scored"] == 6
    assert "3 could not be scored:" in found.stderr
    for failure in written["failures"]:
        assert f"  {failure['name']}: {failure['reason']}\n" in found.stderr

    assert re.search(r"8 images in \S+ s, \S+ images/s, of which 2 could not be scored", found.stderr)
    for path in Path("a").rglob("*.png"):
        path.write_bytes(b"no image")
    for command in (["evaluate", "--ci", "a"], ["compare", "a", "a"]):
        found = run(*command, "gt", *THREE, "--json", "out.json", "--report", "page.html", code=1)
        assert found.stdout == ""
        assert json.loads(Path("out.json").read_text())["images_scored"] == 0


def test_folders_that_do_not_exist_are_said_first(folders):
    assert "Invalid value: nothing does not exist" in plain(run("evaluate", "a", "nothing", code=2).stderr)
    assert "Invalid value: neither does not exist" in plain(run("compare", "a", "neither", "gt", code=2).stderr)


def test_the_ignored_values_of_a_label_set_are_in_the_json(folders):
    run("evaluate", "a", "gt", *FILES, "--labels", "pascal_voc", "--json", "out.json")
    assert json.loads(Path("out.json").read_text())["ignored_values"] == [255]


def test_strict_stops_at_the_first(folders):
    Path("a/0/0_pred.png").write_bytes(b"no image")
    found = run("evaluate", "a", "gt", *THREE, "--strict", "--json", "out.json", code=1)
    assert found.stderr.startswith("Error: a/0/0_pred.png: cannot be read")
    assert not Path("out.json").exists()
    Path("gt/0/2_gt.png").unlink()
    found = run("evaluate", "a", "gt", *THREE, "--strict", code=1)
    assert found.stderr == "Error: 0/2: nothing of this name in gt\n"


def test_ctrl_c_prints_what_there_is_as_partial(folders, monkeypatch):
    original = segiou.evaluation.evaluate.Counter.__call__
    seen = []

    def count(self, item):
        seen.append(item)
        if len(seen) == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, item)

    monkeypatch.setattr(segiou.evaluation.evaluate.Counter, "__call__", count)
    found = run("evaluate", "a", "gt", *THREE, "--workers", "1", "--json", "out.json", code=130)
    written = json.loads(Path("out.json").read_text())
    assert written["partial"]
    assert 0 < written["images_scored"] < 9
    assert f"PARTIAL: interrupted after {written['images_scored']} image" in found.stderr
    assert "mIoU" in found.stdout


ARGUMENTS = {
    "neither": (["a", "gt"], "pass --labels for a data set that is known by name or in a file, or --num-classes or --names, or --foreground or --ids"),
    "both": (["a", "gt", "--labels", "ade20k", "--num-classes", "3"], "or --names, not both"),
    "a set that is none": (["a", "gt", "--labels", "citiscapes"], "did you mean 'cityscapes'?"),
    "no class": (["a", "gt", "--num-classes", "0"], "there must be at least one class, got 0"),
    "no folder": (["none", "gt", *THREE], "none does not exist"),
    "an empty folder": (["empty", "gt", *THREE], "empty holds no mask"),
    "nothing pairs": (["a", "gt", "--num-classes", "3"], "no file pairs: a has '0/0_pred'; gt has '0/0_gt': pass"),
    "a folder and a file": (["a", "gt/0/0_gt.png", *THREE], "pass folders, or one file each"),
    "no number": (["a", "gt", *THREE, "--absent", "no"], "--absent must be 'skip' or a number between 0 and 1"),
    "a number out of range": (["a", "gt", *THREE, "--absent", "2"], "absent must be \"skip\" or a score"),
    "no class of the set": (["a", "gt", *THREE, "--exclude", "road"], "exclude must hold ids of the 3 classes"),
    "class ids of no set": (["a", "gt", *THREE, "--pred-class-ids"], "are for --labels: without, files hold class ids"),
    "zero of a set": (["a", "gt", "--labels", "ade20k", "--reduce-zero-label"], "leave --reduce-zero-label out"),
    "groups of no set": (["a", "gt", *THREE, "--groups", "preset"], "for a label set that has groups"),
    "no file of groups": (["a", "gt", *THREE, "--groups", "none.json"], "got 'none.json': no such file"),
    "no text": (["a", "gt", *THREE, "--groups", "gt/0/0_gt.png"], "gt/0/0_gt.png is no text"),
    "no JSON": (["a", "gt", *THREE, "--groups", "text.json"], "text.json is no JSON"),
    "no folder to write to": (["a", "gt", *THREE, "--json", "none/out.json"], "the folder of the file to write must exist"),
    "a folder to write": (["a", "gt", *THREE, "--csv", "a"], "must be a file, and is a folder"),
    "no worker": (["a", "gt", *THREE, "--workers", "0"], "Invalid value for '--workers'"),
}  # fmt: skip


@pytest.mark.parametrize("case", ARGUMENTS)
def test_bad_arguments_end_with_2_before_any_mask_is_read(folders, monkeypatch, case):
    Path("empty").mkdir()
    Path("text.json").write_text("text")
    monkeypatch.setattr(segiou.evaluation.evaluate, "read_mask", pytest.fail)
    arguments, error = ARGUMENTS[case]
    assert error in plain(run("evaluate", *arguments, code=2).stderr)


def test_a_file_that_cannot_be_written_after_all_is_an_error_with_the_scores_on_the_screen(folders, monkeypatch):
    def fail(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(segiou.cli.outputs, "write_whole", fail)
    found = run("evaluate", "a", "gt", *THREE, "--json", "out.json", code=1)
    assert "Error: out.json could not be written: [Errno 28] No space left on device" in found.stderr
    assert "mIoU" in found.stdout


def test_a_failed_write_leaves_the_file_as_it_was(folders, monkeypatch):
    Path("out.json").write_text("as before")
    monkeypatch.setattr(Path, "replace", lambda *args: (_ for _ in ()).throw(OSError("lost")))
    run("evaluate", "a", "gt", *THREE, "--json", "out.json", code=1)
    assert Path("out.json").read_text() == "as before"
    assert not list(Path().glob(".*"))


def test_compare_says_what_got_better(folders):
    found = run("compare", "a", "b", "gt", *THREE, "--json", "out.json", "--most", "3")
    written = json.loads(Path("out.json").read_text())
    metric = PairedComparison(MeanIoU(3, ignore_index=255))
    for path in sorted(Path("gt").rglob("*.png")):
        others = [Path(n, path.parent.name, path.name.replace("_gt", "_pred")) for n in ("a", "b")]
        name = f"{path.parent.name}/{path.stem.removesuffix('_gt')}"
        metric.update(*(np.array(Image.open(p))[None] for p in (*others, path)), ids=[name])
    expected = metric.compute()
    difference = written["differences"]["mIoU"]
    assert [difference[key] for key in ("value", "low", "high")] == [float(x) for x in expected.difference]
    assert difference["p_value"] == float(expected.p_value)
    assert (written["a"]["scores"]["mIoU"], written["b"]["scores"]["mIoU"]) == (
        expected_miou(folders, "a"),
        expected_miou(folders, "b"),
    )
    row = f"{float(expected.a.value):.4f}   {float(expected.b.value):.4f}   {float(expected.difference.value):+.4f}"
    assert re.search(rf"^ mIoU +{re.escape(row)} .* better $", found.stdout, re.M)
    images = zip(written["a"]["images"], written["b"]["images"], strict=True)
    gains = sorted((-abs(b["mIoU"] - a["mIoU"]), a["name"]) for a, b in images)[:3]
    assert [line.split()[-1] for line in found.stdout.splitlines()[-3:]] == [name for _, name in gains]
    worse = run("compare", "b", "a", "gt", *THREE)
    assert re.search(r"^ mIoU .* worse $", worse.stdout, re.M)


def test_labels_lists_the_presets_and_their_classes():
    every = run("labels").stdout
    assert all(name in every for name in LabelSet.presets())
    one = run("labels", "Pascal VOC").stdout
    assert re.search(r"^ +1 +aeroplane +1 +#800000 $", one, re.M)
    assert re.search(r"^ +ignored +255 ", one, re.M)
    assert "did you mean 'cityscapes'?" in plain(run("labels", "citiscapes", code=2).stderr)


@pytest.mark.parametrize("command", ["evaluate", "compare", "labels", None])
def test_help_fits_a_screen_and_has_an_example(command):
    text = run(*filter(None, [command]), "--help").stdout
    assert len(text.splitlines()) <= 44
    assert max(map(len, text.splitlines())) <= 100
    assert f"Example: segiou {command or 'evaluate'} " in text
    assert "…" not in text


def test_the_version_and_completion():
    assert run("--version").stdout == f"segiou {segiou.__version__}\n"
    assert "--install-completion" in run("--help").stdout


@pytest.mark.skipif(importlib.util.find_spec("jinja2") is None, reason="the report needs Jinja2")
def test_the_report_is_a_page_with_the_worst_images(folders):
    spoil()
    run("evaluate", "a", "gt", *THREE, "--report", "page.html", "--worst", "2", "--ci", "--boundary", code=1)
    page = Path("page.html").read_text()
    assert "<html" in page
    assert "nothing of this name in gt" in page
    assert page.count("data:image/png") >= 6


def test_the_report_needs_jinja2_and_says_so_before_the_work(folders, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "jinja2" else found(name))
    monkeypatch.setattr(segiou.evaluation.evaluate, "read_mask", pytest.fail)
    error = run("evaluate", "a", "gt", *THREE, "--report", "page.html", code=2).stderr
    assert "--report needs Jinja2: pip install 'segiou[report]'" in plain(error)


def test_names_of_classes_and_files_are_shown_as_they_are(folders):
    Path("names.json").write_text('{"0": "[bold]a[/bold]", "1": ":smile:", "2": "=1+1"}')
    Path("a/0/0_pred.png").rename("a/0/[red]_pred.png")
    found = run("evaluate", "a", "gt", *FILES, "--ignore-index", "255", "--names", "names.json", code=1)
    assert "[bold]a[/bold]" in found.stdout
    assert ":smile:" in found.stdout
    assert "[red]: nothing of this name" in found.stderr


def test_names_come_in_three_forms(tmp_path):
    for text, name in (("a\n\n b \n", "n.txt"), ('["a", "b"]', "n.json"), ('{"1": "b", "0": "a"}', "m.json")):
        (tmp_path / name).write_text(text)
        assert names_from(tmp_path / name) == ["a", "b"]
    for text, error in (('{"1": "b"}', "must name the ids 0 to 0, got 1"), ("[1]", "must hold a list of names")):
        (tmp_path / "n.json").write_text(text)
        with pytest.raises(ValueError, match=error):
            names_from(tmp_path / "n.json")


def test_a_class_whose_values_are_all_ignored_is_left_out_of_means():
    of_metrics = Options("cityscapes", ignore_index=[7, 99]).scoring().arguments["ignore_index"]
    assert of_metrics == [0, 255]
    assert Options(None, 3, [2, 200], True).scoring().arguments["ignore_index"] == [-1, 1, 199]
    assert Options(None, 3, [0, 255]).scoring().arguments["ignore_index"] == [0, 255]


def test_a_process_of_its_own_and_two_write_the_same_bytes(folders):
    spoil()
    base = ["-m", "segiou", "evaluate", "a", "gt", *THREE, "--ci", "--boundary"]
    alone = subprocess.run(
        [sys.executable, "-W", "error", *base, "--json", "one.json"], env=environment(), capture_output=True, text=True
    )
    assert alone.returncode == 1, alone.stderr
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    two = subprocess.run(
        [sys.executable, *launch, *base, "--json", "two.json"], env=environment(), capture_output=True, text=True
    )
    assert two.returncode == 1, two.stderr
    assert Path("one.json").read_bytes() == Path("two.json").read_bytes()
    assert two.stdout == alone.stdout


def test_the_names_of_presets_are_completed():
    asked = {"_SEGIOU_COMPLETE": "complete_bash", "COMP_WORDS": "segiou evaluate --labels pascal_c", "COMP_CWORD": "3"}
    found = subprocess.run([sys.executable, "-m", "segiou"], env=environment() | asked, capture_output=True, text=True)
    assert found.stdout.split() == ["pascal_context", "pascal_context_60"]


def test_without_the_extra_it_says_what_to_install(folders):
    code = "import sys; sys.modules['typer'] = None; from segiou.__main__ import main; main()"
    found = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (1, "the shell needs typer: pip install 'segiou[cli]'\n")


def test_a_false_alarm_counts_where_the_background_is_excluded(tmp_path):
    """Image a is right, b has a quarter too much foreground, and in c, which has none, foreground is predicted."""
    empty = np.zeros((8, 8), np.uint8)
    part, more = empty.copy(), empty.copy()
    part[:3], more[:4] = 1, 1
    for name, pred, label in (("a", part, part), ("b", more, part), ("c", part, empty)):
        write(tmp_path / "pred" / f"{name}.png", pred)
        write(tmp_path / "label" / f"{name}.png", label)
    folders = str(tmp_path / "pred"), str(tmp_path / "label")
    found = run(
        "evaluate",
        *folders,
        "--num-classes",
        "2",
        "--exclude",
        "0",
        "--worst",
        "1",
        "--json",
        str(tmp_path / "out.json"),
    )
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["scores"]["mIoU_I"] == pytest.approx((1 + 3 / 4 + 0) / 3)
    assert found.stdout.splitlines()[-1].split() == ["0.0000", "c"]
