"""What ``segiou evaluate`` and ``segiou compare`` do, once their arguments are known."""

import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.console import Console

from segiou import __version__
from segiou.cli import console, results
from segiou.cli.misread import remark_on
from segiou.cli.options import Options
from segiou.cli.outputs import discard_output, output_of, require_outputs, stopped, to_standard_output, write
from segiou.cli.terminal import console as console_of
from segiou.environment.installed import installed
from segiou.evaluation import processes
from segiou.evaluation.evaluate import Outcome, evaluate
from segiou.evaluation.masks import MaskError, shown
from segiou.evaluation.pairing import Pairing, pair, require_present
from segiou.evaluation.photos import Photos, find_photos
from segiou.evaluation.tally import Scoring
from segiou.metrics.scores import SegmentationMetrics

if TYPE_CHECKING:
    from segiou.cli.pages import Made

T = TypeVar("T")


@dataclass(frozen=True)
class Files:
    """What is read and written.

    Args:
        preds: the folder, or the file, of each model.
        label: that of the labels.
        pred_suffix: what stems of predictions end with.
        label_suffix: likewise of labels.
        outputs: the file that each option writes, or None.
    """

    preds: Sequence[Path]
    label: Path
    pred_suffix: str
    label_suffix: str
    outputs: dict[str, Path | None]

    @classmethod
    def of(
        cls, preds: Sequence[Path], label: Path, pred_suffix: str, label_suffix: str, outputs: dict[str, Path | None]
    ) -> "Files":
        """The files as a user names them."""
        named = {option: output_of(path) for option, path in outputs.items()}
        return cls(preds, label, pred_suffix, label_suffix, named)


@dataclass(frozen=True)
class PageOptions:
    """What the page of ``--report`` shows beside scores.

    Args:
        images: the folder of photos, or the file of one, or None.
        image_suffix: what names of photos end with.
        title: of the page, or None for one that names the model.
        model_names: of the models that made the predictions; empty where none is given.
    """

    images: Path | None = None
    image_suffix: str = ""
    title: str | None = None
    model_names: tuple[str, ...] = ()

    def require_report(self, report: Path | None, choice: str, number: int) -> None:
        """Raise for options of a page that is not written, or that shows no images; option ``choice`` says how many."""
        if self.title is not None and not self.title.strip():
            raise typer.BadParameter("--title must not be empty: leave it out for one that names the model")
        given = {"--images": self.images, "--image-suffix": self.image_suffix, "--title": self.title}
        for option, value in {**given, "--model-name": self.model_names}.items():
            if value and report is None:
                raise typer.BadParameter(f"{option} is for the page of --report: pass --report FILE too")
        if report is not None and not installed("jinja2"):
            raise typer.BadParameter("--report needs Jinja2: pip install 'segiou[report]'")
        if self.images is not None and not number:
            raise typer.BadParameter(f"--images is for the images of {choice}, got 0 of them")
        if self.image_suffix and self.images is None:
            raise typer.BadParameter("--image-suffix is for --images: pass the folder of photos too")

    def photos(self, files: Files, pairing: Pairing) -> Photos | None:
        """The photos of the images, or None. Raises ValueError or OSError, also for an output that is a photo."""
        if self.images is None:
            return None
        found = find_photos(self.images, [item.name for item in pairing.items], self.image_suffix)
        require_outputs(files.outputs, found.files)
        return found


def run_evaluate(
    options: Options, files: Files, page: PageOptions, worst: int, strict: bool, workers: int | None
) -> None:
    """Score one model, show it, and write what is asked for."""
    json, csv, report = (files.outputs[name] for name in ("--json", "--csv", "--report"))
    page.require_report(report, "--worst", worst)
    without_photo: list[tuple[str, str]] = []
    with processes.joined():
        scoring, pairing = _prepared(options, files)
        photos = _checked(lambda: page.photos(files, pairing))
        facts = _facts(options, scoring, {"pred": files.preds[0], "label": files.label, "pairs": len(pairing.items)})
        outcome = _outcome(pairing, scoring, workers, strict)
        if processes.place()[0] == 0:
            (result,) = outcome.results
            unseen = _unseen(lambda: console.show_evaluation(_out(files), outcome, worst, remark_on(result, options)))
            console.show_failures(console_of(stderr=True), outcome)
            write(json, lambda: results.as_json(outcome, facts))
            write(csv, lambda: results.as_csv(result))
            if report is not None:
                facts = _page_facts(pairing, page)
                from segiou.cli.pages import report_of

                made = report_of(outcome, pairing.items, scoring, facts, worst, photos, page.title or "")
                without_photo = made.without_photo
                _write_page(report, made)
            _require_seen(unseen)
    _finish(outcome, bool(without_photo))


def run_compare(
    options: Options, files: Files, page: PageOptions, most: int, strict: bool, workers: int | None
) -> None:
    """Score two models, show their differences, and write what is asked for."""
    report = files.outputs["--report"]
    page.require_report(report, "--most", most)
    without_photo: list[tuple[str, str]] = []
    if len(page.model_names) not in (0, 2):
        raise typer.BadParameter(f"--model-name must be given twice, for A and for B, got {len(page.model_names)}")
    with processes.joined():
        scoring, pairing = _prepared(options, files)
        photos = _checked(lambda: page.photos(files, pairing))
        (pred_a, pred_b), label = files.preds, files.label
        named = {"pred_a": pred_a, "pred_b": pred_b, "label": label, "pairs": len(pairing.items)}
        facts = _facts(options, scoring, named)
        outcome = _outcome(pairing, scoring, workers, strict)
        if processes.place()[0] == 0:
            remarks = {name: remark_on(each, options) for name, each in zip("AB", outcome.results, strict=True)}
            unseen = _unseen(lambda: console.show_comparison(_out(files), outcome, most, remarks))
            console.show_failures(console_of(stderr=True), outcome)
            write(files.outputs["--json"], lambda: results.as_json(outcome, facts))
            if report is not None:
                from segiou.cli.pages import comparison_of

                facts, names = _page_facts(pairing, page), page.model_names
                made = comparison_of(outcome, pairing.items, scoring, facts, most, names, photos, page.title or "")
                without_photo = made.without_photo
                _write_page(report, made)
            _require_seen(unseen)
    _finish(outcome, bool(without_photo))


def _unseen(show: Callable[[], None]) -> BaseException | None:
    """Show something; the error of a screen that does not take it, which must not cost the files."""
    try:
        show()
    except (OSError, SystemExit) as error:  # rich exits where the reader of a pipe has gone
        return error
    return None


def _require_seen(error: BaseException | None) -> None:
    """Raise what went wrong while something was shown, once all files are written."""
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        discard_output()
        raise stopped(f"the standard output could not be written: {error.strerror or error}") from error
    if error is not None:
        raise error


def _out(files: Files) -> Console:
    """Where tables go: to the errors where something else is written to the standard output."""
    return console_of(stderr=to_standard_output(files.outputs.values()))


def _prepared(options: Options, files: Files) -> tuple[Scoring, Pairing]:
    """What is to be measured of which files; all that can be known to be wrong before the work is said here."""
    _checked(lambda: require_present([*files.preds, files.label]))
    scoring = _checked(options.scoring)

    def find() -> Pairing:
        require_outputs(files.outputs, options.files)
        found = pair(files.preds, files.label, files.pred_suffix, files.label_suffix)
        require_outputs(files.outputs, found.files)
        return found

    return scoring, _checked(lambda: processes.from_first(find))


def _checked(function: Callable[[], T]) -> T:
    """What the function gives; its errors are those of arguments, exit status 2."""
    try:
        return function()
    except (ValueError, TypeError, OSError) as error:
        if processes.place()[0]:
            raise typer.Exit(2) from error  # the first process says it
        known = isinstance(error, OSError) and error.strerror and error.filename
        text = f"{error.filename}: {error.strerror}" if known else str(error)  # type: ignore[union-attr]
        raise typer.BadParameter(text) from error


def _outcome(pairing: Pairing, scoring: Scoring, workers: int | None, strict: bool) -> Outcome:
    """Score all, with progress; exit status 1 where it is to be strict and something is wrong."""
    if strict and pairing.unpaired:
        name, reason = pairing.unpaired[0]
        raise stopped(f"{name}: {reason}")
    rank, world = processes.place()
    share = len(pairing.items[rank::world])
    with console.Watch(SegmentationMetrics(**scoring.arguments), share, rank == 0) as watch:
        try:
            outcome = evaluate(pairing, scoring, workers=workers or processes.threads(), strict=strict, watch=watch)
        except MaskError as error:
            raise stopped(str(error)) from error
    if rank == 0:
        failed = len(outcome.failures) - len(pairing.unpaired)
        typer.echo(watch.summary(failed) + (f" in each of {world} processes" if world > 1 else ""), err=True)
    return outcome


def _facts(options: Options, scoring: Scoring, files: dict[str, Any]) -> dict[str, Any]:
    plain = {name: shown(value) if isinstance(value, Path) else value for name, value in files.items()}
    return {"segiou": __version__, **plain, **options.facts(), "ignored_values": scoring.of_label.ignored}


def _page_facts(pairing: Pairing, page: PageOptions) -> dict[str, str]:
    """What a reader of the page needs to know of how it was made."""
    first = pairing.items[0]
    several = len(first.preds) > 1
    named = zip(("Model A", "Model B") if several else ("Model",), page.model_names, strict=False)
    preds = {f"Predictions of {model}": path for model, path in zip("AB", first.preds, strict=False)}
    return {
        **dict(named),
        "Made": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        "Command": shlex.join(["segiou", *sys.argv[1:]]),
        **{
            name: f"such as {shown(path)}"
            for name, path in (preds if several else {"Predictions": first.preds[0]}).items()
        },
        "Labels": f"such as {shown(first.label)}",
    }


def _write_page(path: Path, made: "Made") -> None:
    from segiou.report import render

    console.show_missing_photos(console_of(stderr=True), made.without_photo)
    write(path, lambda: render(made.report).encode("utf-8", "backslashreplace"))


def _finish(outcome: Outcome, failed: bool = False) -> None:
    """Exit as the outcome says: 130 after Ctrl-C and 143 after SIGTERM, as shells have it, 1 where a file failed."""
    if outcome.stopped:
        raise typer.Exit(128 + signal.Signals(outcome.stopped))
    if outcome.failures or failed:
        raise typer.Exit(1)
