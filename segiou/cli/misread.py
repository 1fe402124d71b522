"""Signs that files hold other values than they were read as, though every value had a meaning."""

from segiou.cli.options import Options
from segiou.evaluation.tally import Result


def remark_on(result: Result, options: Options) -> str:
    """A line on pixels that are predicted as no class, and on a foreground that is ignored; or nothing."""
    found = []
    void, counted = int(result.counts[:-1, -1].sum()), int(result.counts[:-1].sum())
    if void:
        option = "--pred-ids" if options.labels is None else "--pred-class-ids"
        remedy = f"; does PRED hold other ids? see {option}" if 2 * void > counted else ""
        found.append(f"{void:,} of {counted:,} counted pixels are predicted as no class, and are misses{remedy}")
    counted_ones = int(result.counts[:-1, 1:-1].sum())
    if _is_foreground_ignored(result, options):
        given = "--ignore-index 255" if options.labels is None else f"--labels {options.labels}"
        of_both = "--foreground 255" if not counted_ones else "--num-classes 2 --label-ids 0:0,255:1"
        found.append(
            "255 is ignored, and all other labels are of class 0: if 255 is the foreground, pass "
            f"{of_both} in place of {given}"
        )
    return "\n".join(found)


def _is_foreground_ignored(result: Result, options: Options) -> bool:
    """Whether all labels that are no class 0 are ignored, and 255 is: of 0 and 255, whose foreground is lost."""
    counts, ignored = result.counts, result.metric.rules.ignore_index
    if options.ids is not None or options.foreground is not None or 255 not in ignored:
        return False
    return bool(counts[-1].sum() > 0) and int(counts[1:-1].sum()) == 0
