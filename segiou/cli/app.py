"""The arguments of ``segiou evaluate``, ``segiou compare`` and ``segiou labels``.

Nothing here loads torch, so that help and completion are there at once: what a command does is loaded when it runs.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from segiou import __version__
from segiou.cli.options import Options
from segiou.labels import LabelSet
from segiou.labels.label_files import is_label_file

HELP = """Score folders of label masks.

Example: segiou evaluate runs/pred masks --num-classes 21 --ignore-index 255
"""

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=HELP)


def _presets() -> list[str]:
    return list(LabelSet.presets())


def _option(text: str, *names: str, **how: Any) -> Any:
    return typer.Option(*names, help=text, show_default=False, **how)


Folder = Annotated[Path, typer.Argument(help="Folder of masks, or one mask.", show_default=False)]
INT: Any = {"metavar": "INT"}
Labels = Annotated[
    str | None, _option("Data set, such as cityscapes, or a label file.", metavar="NAME", autocompletion=_presets)
]
NumClasses = Annotated[int | None, _option("Number of classes, where files hold class ids.", **INT)]
Names = Annotated[Path | None, _option("Class names: a JSON list, or a name a line.", metavar="FILE")]
Ids = Annotated[str | None, _option("Class of each value in the files, such as 0:0,255:1.", metavar="IDS")]
OfPred = Annotated[str | None, _option("Likewise in PRED alone.", "--pred-ids", metavar="IDS")]
OfLabel = Annotated[str | None, _option("Likewise in LABEL alone.", "--label-ids", metavar="IDS")]
Foreground = Annotated[int | None, _option("Two classes, 0 and this value: 255 for --ids 0:0,255:1.", **INT)]
Ignore = Annotated[list[str] | None, _option("Value in LABEL not to count, or nan; repeat it.", metavar="INT")]
ReduceZero = Annotated[bool, _option("LABEL holds 0 for ignored, k for class k - 1.", "--reduce-zero-label")]
PredIds = Annotated[bool, _option("PRED holds class ids, not the set's raw ids.", "--pred-class-ids")]
LabelIds = Annotated[bool, _option("LABEL holds class ids, not the set's raw ids.", "--label-class-ids")]
Absent = Annotated[str, _option("Score of a class in neither: skip, or a number.", metavar="SCORE")]
Exclude = Annotated[list[str] | None, _option("Class left out of means, id or name; repeat it.", metavar="CLASS")]
Groups = Annotated[str | None, _option("Groups too: JSON of name: classes, or `preset`.", metavar="FILE")]
PredSuffix = Annotated[str, _option("What stems in PRED end with, such as _pred.", metavar="TEXT")]
LabelSuffix = Annotated[str, _option("Likewise in LABEL, such as _gtFine_labelIds.", metavar="TEXT")]
Boundary = Annotated[bool, _option("Boundary IoU too.", "--boundary")]
Intervals = Annotated[bool, _option("95 % confidence intervals, over images.", "--ci")]
Worst = Annotated[int, typer.Option(help="Images with the lowest mIoU to name.", min=0, **INT)]
Most = Annotated[int, typer.Option(help="Images that differ most to name.", min=0, **INT)]
Json = Annotated[Path | None, _option("Write everything as JSON; - prints it.", "--json", metavar="FILE")]
AsJson = Annotated[bool, _option("Print it as a label file.", "--json")]
Csv = Annotated[Path | None, _option("Write the table of classes; - prints it.", "--csv", metavar="FILE")]
Report = Annotated[Path | None, _option("Write a page of HTML.", "--report", metavar="FILE")]
Images = Annotated[
    Path | None,
    _option("Photos for --report, shrunk to JPEGs of 5 to 40 kB each.", metavar="FOLDER"),
]
ImageSuffix = Annotated[str, _option("What names of photos end with, such as _leftImg8bit.", metavar="TEXT")]
Title = Annotated[str | None, _option("Title of the page of --report.", metavar="TEXT")]
ModelName = Annotated[str | None, _option("Name of the model, for the page of --report.", metavar="TEXT")]
ModelNames = Annotated[
    list[str] | None, _option("Name of a model, for --report; A, then B.", "--model-name", metavar="TEXT")
]
Strict = Annotated[bool, _option("Stop at the first file that cannot be scored.", "--strict")]
Name = Annotated[
    str | None, typer.Argument(help="Show its classes; or those of a label file.", autocompletion=_presets)
]
MaxPixels = Annotated[int | None, _option("Refuse masks of more pixels.", min=1, **INT)]
Workers = Annotated[int | None, _option("Threads; one for each core if left out.", min=1, **INT)]


@app.command(name="evaluate", no_args_is_help=True)
def evaluate_command(
    pred: Folder,
    label: Folder,
    labels: Labels = None,
    num_classes: NumClasses = None,
    names: Names = None,
    ids: Ids = None,
    pred_ids: OfPred = None,
    label_ids: OfLabel = None,
    foreground: Foreground = None,
    ignore_index: Ignore = None,
    reduce_zero_label: ReduceZero = False,
    pred_class_ids: PredIds = False,
    label_class_ids: LabelIds = False,
    absent: Absent = "skip",
    exclude: Exclude = None,
    groups: Groups = None,
    pred_suffix: PredSuffix = "",
    label_suffix: LabelSuffix = "",
    boundary: Boundary = False,
    ci: Intervals = False,
    worst: Worst = 5,
    json: Json = None,
    csv: Csv = None,
    report: Report = None,
    images: Images = None,
    image_suffix: ImageSuffix = "",
    title: Title = None,
    model_name: ModelName = None,
    strict: Strict = False,
    workers: Workers = None,
    max_pixels: MaxPixels = None,
) -> None:
    """Score the masks in PRED against those in LABEL.

    Example: segiou evaluate runs/pred gtFine/val --labels cityscapes --label-suffix _gtFine_labelIds
    """
    from segiou.cli import commands

    options = Options(
        labels, num_classes, ignore_index or (), reduce_zero_label, pred_class_ids, label_class_ids, absent,
        exclude or (), groups, names, boundary, ci, ids, pred_ids, label_ids, foreground, max_pixels,
    )  # fmt: skip
    outputs = {"--json": json, "--csv": csv, "--report": report}
    files = commands.Files.of([pred], label, pred_suffix, label_suffix, outputs)
    page = commands.PageOptions(images, image_suffix, title, (model_name,) if model_name else ())
    commands.run_evaluate(options, files, page, worst, strict, workers)


@app.command(no_args_is_help=True)
def compare(
    pred_a: Folder,
    pred_b: Folder,
    label: Folder,
    labels: Labels = None,
    num_classes: NumClasses = None,
    names: Names = None,
    ids: Ids = None,
    pred_ids: OfPred = None,
    label_ids: OfLabel = None,
    foreground: Foreground = None,
    ignore_index: Ignore = None,
    reduce_zero_label: ReduceZero = False,
    pred_class_ids: PredIds = False,
    label_class_ids: LabelIds = False,
    absent: Absent = "skip",
    exclude: Exclude = None,
    groups: Groups = None,
    pred_suffix: PredSuffix = "",
    label_suffix: LabelSuffix = "",
    most: Most = 5,
    json: Json = None,
    report: Report = None,
    images: Images = None,
    image_suffix: ImageSuffix = "",
    title: Title = None,
    model_name: ModelNames = None,
    strict: Strict = False,
    workers: Workers = None,
    max_pixels: MaxPixels = None,
) -> None:
    """Score two models on the same images, and say whether they differ.

    Example: segiou compare runs/old runs/new masks --num-classes 21 --ignore-index 255
    """
    from segiou.cli import commands

    options = Options(
        labels, num_classes, ignore_index or (), reduce_zero_label, pred_class_ids, label_class_ids, absent,
        exclude or (), groups, names, False, False, ids, pred_ids, label_ids, foreground, max_pixels,
    )  # fmt: skip
    files = commands.Files.of([pred_a, pred_b], label, pred_suffix, label_suffix, {"--json": json, "--report": report})
    page = commands.PageOptions(images, image_suffix, title, tuple(model_name or ()))
    commands.run_compare(options, files, page, most, strict, workers)


@app.command(name="labels")
def labels_command(name: Name = None, json: AsJson = False) -> None:
    """Show the data sets whose classes are known by name.

    Example: segiou labels cityscapes --json > mine.json
    """
    from segiou.cli import label_tables
    from segiou.cli.terminal import console

    if name is None:
        if json:
            raise typer.BadParameter("--json is for one label set: pass its name")
        label_tables.show_presets(console())
        return
    try:
        found = LabelSet.load(name) if is_label_file(name) else LabelSet.of(name)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from error
    if json:
        typer.echo(found.to_json(), nl=False)
    else:
        label_tables.show_label_set(console(), found)


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, _option("Show the version.", "--version")] = False) -> None:
    if version:
        typer.echo(f"segiou {__version__}")
        raise typer.Exit
