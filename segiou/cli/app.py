"""The shell: ``segiou evaluate``, ``segiou compare`` and ``segiou labels``; the extra ``cli``."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from segiou import __version__
from segiou.cli import console, results
from segiou.cli.options import Options
from segiou.evaluation import processes
from segiou.evaluation.evaluate import Outcome, evaluate
from segiou.evaluation.mask_files import MaskError, shown
from segiou.evaluation.pairing import Pairing, pair
from segiou.evaluation.tally import GivenScores, Scoring
from segiou.installed import installed
from segiou.labels import LabelSet
from segiou.report.files import require_writable, write_whole

T = TypeVar("T")
INTERRUPTED = 130
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
    str | None, _option("Data set, such as cityscapes; see `labels`.", metavar="NAME", autocompletion=_presets)
]
NumClasses = Annotated[int | None, _option("Number of classes, where files hold class ids.", **INT)]
Names = Annotated[Path | None, _option("Class names: a JSON list, or a name a line.", metavar="FILE")]
Ignore = Annotated[list[int] | None, _option("Value in LABEL that is not counted; repeat it.", **INT)]
ReduceZero = Annotated[bool, _option("LABEL holds 0 for ignored, k for class k - 1.", "--reduce-zero-label")]
PredIds = Annotated[bool, _option("PRED holds class ids, not the set's raw ids.", "--pred-class-ids")]
LabelIds = Annotated[bool, _option("LABEL holds class ids, not the set's raw ids.", "--label-class-ids")]
Absent = Annotated[str, _option("Score of a class in neither: skip, or a number.", metavar="SCORE")]
Exclude = Annotated[list[str] | None, _option("Class left out of means, id or name; repeat it.", metavar="CLASS")]
Groups = Annotated[str | None, _option("Score groups: JSON of name: classes, or `preset`.", metavar="FILE")]
PredSuffix = Annotated[str, _option("What stems in PRED end with, such as _pred.", metavar="TEXT")]
LabelSuffix = Annotated[str, _option("Likewise in LABEL, such as _gtFine_labelIds.", metavar="TEXT")]
Boundary = Annotated[bool, _option("Boundary IoU too.", "--boundary")]
Intervals = Annotated[bool, _option("95 % confidence intervals, over images.", "--ci")]
Worst = Annotated[int, typer.Option(help="Images with the lowest mIoU to name.", min=0, **INT)]
Most = Annotated[int, typer.Option(help="Images that differ most to name.", min=0, **INT)]
Json = Annotated[Path | None, _option("Write everything as JSON.", "--json", metavar="FILE")]
Csv = Annotated[Path | None, _option("Write the table of classes.", "--csv", metavar="FILE")]
Report = Annotated[Path | None, _option("Write a page of HTML.", "--report", metavar="FILE")]
Strict = Annotated[bool, _option("Stop at the first file that cannot be scored.", "--strict")]
Name = Annotated[str | None, typer.Argument(help="Show its classes.", autocompletion=_presets)]
Workers = Annotated[int | None, _option("Threads; one for each core if left out.", min=1, **INT)]


@app.command(name="evaluate", no_args_is_help=True)
def evaluate_command(
    pred: Folder,
    label: Folder,
    labels: Labels = None,
    num_classes: NumClasses = None,
    names: Names = None,
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
    strict: Strict = False,
    workers: Workers = None,
) -> None:
    """Score the masks in PRED against those in LABEL.

    Example: segiou evaluate runs/pred gtFine/val --labels cityscapes --label-suffix _gtFine_labelIds
    """
    options = Options(
        labels, num_classes, ignore_index or (), reduce_zero_label, pred_class_ids, label_class_ids, absent,
        exclude or (), groups, names, boundary, ci,
    )  # fmt: skip
    with processes.joined():
        scoring, pairing = _prepared(options, [pred], label, pred_suffix, label_suffix, [json, csv, report])
        if report is not None and not installed("jinja2"):
            raise typer.BadParameter("--report needs Jinja2: pip install 'segiou[report]'")
        facts = _facts(options, {"pred": pred, "label": label, "pairs": len(pairing.items)})
        outcome = _outcome(pairing, scoring, workers, strict)
        if processes.place()[0] == 0:
            (result,) = outcome.results
            console.show_evaluation(console.console(), outcome, worst)
            console.show_failures(console.console(stderr=True), outcome)
            _write(json, lambda: results.as_json(outcome, facts))
            _write(csv, lambda: results.as_csv(result))
            _write(report, lambda: _report(outcome, pairing, scoring, worst))
    _finish(outcome)


@app.command(no_args_is_help=True)
def compare(
    pred_a: Folder,
    pred_b: Folder,
    label: Folder,
    labels: Labels = None,
    num_classes: NumClasses = None,
    names: Names = None,
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
    strict: Strict = False,
    workers: Workers = None,
) -> None:
    """Score two models on the same images, and say whether they differ.

    Example: segiou compare runs/old runs/new masks --num-classes 21 --ignore-index 255
    """
    options = Options(
        labels, num_classes, ignore_index or (), reduce_zero_label, pred_class_ids, label_class_ids, absent,
        exclude or (), groups, names,
    )  # fmt: skip
    with processes.joined():
        scoring, pairing = _prepared(options, [pred_a, pred_b], label, pred_suffix, label_suffix, [json])
        facts = _facts(options, {"pred_a": pred_a, "pred_b": pred_b, "label": label, "pairs": len(pairing.items)})
        outcome = _outcome(pairing, scoring, workers, strict)
        if processes.place()[0] == 0:
            console.show_comparison(console.console(), outcome, most)
            console.show_failures(console.console(stderr=True), outcome)
            _write(json, lambda: results.as_json(outcome, facts))
    _finish(outcome)


@app.command()
def labels(name: Name = None) -> None:
    """Show the data sets whose classes are known by name.

    Example: segiou labels cityscapes
    """
    if name is None:
        console.show_presets(console.console())
    else:
        console.show_preset(console.console(), _checked(lambda: LabelSet.of(name)))


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, _option("Show the version.", "--version")] = False) -> None:
    if version:
        typer.echo(f"segiou {__version__}")
        raise typer.Exit


def _prepared(
    options: Options, preds: list[Path], label: Path, pred_suffix: str, label_suffix: str, outputs: list[Path | None]
) -> tuple[Scoring, Pairing]:
    """What is to be measured of which files; all that can be known to be wrong before the work is said here."""
    scoring = _checked(options.scoring)

    def find() -> Pairing:
        for path in outputs:
            if path is not None:
                require_writable(path)
        return pair(preds, label, pred_suffix, label_suffix)

    return scoring, _checked(lambda: processes.from_first(find))


def _checked(function: Callable[[], T]) -> T:
    """What the function gives; its errors are those of arguments, exit status 2."""
    try:
        return function()
    except (ValueError, TypeError, OSError) as error:
        if processes.place()[0]:
            raise typer.Exit(2) from error  # the first process says it
        raise typer.BadParameter(str(error)) from error


def _outcome(pairing: Pairing, scoring: Scoring, workers: int | None, strict: bool) -> Outcome:
    """Score all, with progress; exit status 1 where it is to be strict and something is wrong."""
    if strict and pairing.unpaired:
        name, reason = pairing.unpaired[0]
        raise _stopped(f"{name}: {reason}")
    rank, world = processes.place()
    share = len(pairing.items[rank::world])
    with console.Watch(GivenScores(**scoring.arguments), share, rank == 0) as watch:
        try:
            outcome = evaluate(pairing, scoring, workers=workers or processes.threads(), strict=strict, watch=watch)
        except MaskError as error:
            raise _stopped(str(error)) from error
    if rank == 0:
        typer.echo(watch.summary() + (f" in each of {world} processes" if world > 1 else ""), err=True)
    return outcome


def _stopped(text: str) -> typer.Exit:
    typer.echo(f"Error: {text}", err=True)
    return typer.Exit(1)


def _facts(options: Options, files: dict[str, Any]) -> dict[str, Any]:
    plain = {name: shown(value) if isinstance(value, Path) else value for name, value in files.items()}
    return {"segiou": __version__, **plain, **options.facts()}


def _write(path: Path | None, made: Callable[[], bytes]) -> None:
    """Write a file, if there is one to write; what went wrong after the work does not lose what is on the screen."""
    if path is not None:
        try:
            write_whole(path, made())
        except OSError as error:
            raise _stopped(f"{path} could not be written: {error}") from error


def _report(outcome: Outcome, pairing: Pairing, scoring: Scoring, worst: int) -> bytes:
    from segiou.cli.pages import report_of
    from segiou.report import render

    first = pairing.items[0]
    facts = {"Predictions": f"such as {shown(first.preds[0])}", "Labels": f"such as {shown(first.label)}"}
    return render(report_of(outcome, pairing.items, scoring, facts, worst)).encode("utf-8", "backslashreplace")


def _finish(outcome: Outcome) -> None:
    if outcome.partial:
        raise typer.Exit(INTERRUPTED)
    if outcome.failures:
        raise typer.Exit(1)
