"""Time segiou on this machine against torchmetrics, against plain torch operations and against reading the input once.

    pip install -e .
    python examples/benchmark.py                  # about ten minutes, best on an idle machine
    python examples/benchmark.py --quick          # under a minute: fewer rows, fewer rounds
    python examples/benchmark.py --only upsample --rounds 9 --json upsample.json
    python examples/benchmark.py --markdown examples/speed.md

The contenders of a row take turns in one loop, so that whatever else the machine does hits all of them alike.
Before each turn torch adds to 128 MB, untimed: every turn finds the caches alike, without the input, and torch's
threads still spinning as they do after a model's last operation. Shown are medians; the JSON has the minima too.
No row is timed before its contenders' counts agree. A sixteenth of the target is 255, the ignore_index.

- torchmetrics: ``update`` of its Jaccard index with ``validate_args=False``; "checked" with True, its default.
- torch: the fastest torch operations known to us that count the same, without any check.
- OpenCV: each class eroded by itself, as the reference code of boundary IoU does it (where OpenCV is installed).
- segiou: ``update`` of MeanIoU, which always checks; eager is with torch operations (``SEGIOU_KERNEL=eager``).
- read once: ``torch.sum`` over all bytes of input and target, seen as float32 (scores) and int64 (labels), which
  torch sums fast: hardly any method can take less. On a GPU it is a copy of half as many bytes, which moves as
  many. In rows with a star it is segiou's one matrix of all images.

torchmetrics and torch get score maps smaller than the target through F.interpolate, and what torch does is then
F.interpolate, argmax and bincount. Extra memory is what a call takes at its peak beside its input (Linux only).
Bytes sent are those of the collectives that were called, for rings: 2 (n - 1) / n of what an all-reduce sums,
n - 1 times what an all-gather is given.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from benchmarking.page import page
from benchmarking.processes import extra_memory, first_updates, syncs
from benchmarking.report import machine, show
from benchmarking.rows import cases
from benchmarking.timing import Case, Result, measure


def measured(case: Case, rounds: int, seconds: float) -> Iterator[Result]:
    result = measure(case, rounds, seconds)
    if case.memory and (extra := extra_memory(case.name)):
        result.extra["Extra memory, MB"] = extra
    yield result


def run(quick: bool, only: str, rounds: int) -> Iterator[Result]:
    """The rows with ``only`` in their names; one that fails says why, and the others go on."""
    jobs = {
        case.name: partial(measured, case, rounds, 1.0 if quick else 20.0)
        for case in cases(torch.get_num_threads())
        if case.quick or not quick
    }
    jobs["first update"] = partial(first_updates, 1 if quick else 3)
    jobs["sync"] = partial(syncs, [2], [150], rounds) if quick else partial(syncs, [2, 4, 8], [150, 1000], rounds)
    for name, job in jobs.items():
        if only.lower() not in name.lower():
            continue
        print(name, file=sys.stderr)
        try:
            yield from job()
        except Exception as error:
            yield Result("", name, 0, error=f"{type(error).__name__}: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as a page there too")
    parser.add_argument("--quick", action="store_true", help="under a minute: fewer rows, fewer rounds")
    parser.add_argument("--only", default="", metavar="TEXT", help="only rows with this in their names")
    parser.add_argument("--rounds", type=int, metavar="N", help="at most N turns of each contender")
    options = parser.parse_args()
    about = machine() | {"threads": torch.get_num_threads()}
    results = list(run(options.quick, options.only, options.rounds or (5 if options.quick else 21)))
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    show(results)
    if options.json:
        found = {"machine": about, "rows": [asdict(result) for result in results]}
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(page(about, results), encoding="utf-8")
    sys.exit(any(result.error for result in results))


if __name__ == "__main__":
    main()
