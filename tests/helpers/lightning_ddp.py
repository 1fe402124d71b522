"""Runs every case of ``lightning_ddp_cases`` on two processes; each writes ``rank<r>.json`` into a folder.

Started once, without a launcher: Lightning starts the second process. Arguments: the folder.
"""

import json
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.strategies import DDPStrategy

import segiou.lightning.publisher
from tests.helpers.lightning_ddp_cases import EQUAL_BETWEEN_RANKS, EQUAL_TO_ONE_PROCESS

COLLECTIVES = ("all_reduce", "all_gather", "all_gather_object", "barrier", "broadcast")


def counted_collectives() -> list[str]:
    """A list that every collective called from segiou or torchmetrics adds its name to."""
    calls: list[str] = []

    def watched(name: str) -> Any:
        original = getattr(torch.distributed, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if sys._getframe(1).f_globals["__name__"].startswith(("segiou", "torchmetrics")):
                calls.append(name)
            return original(*args, **kwargs)

        return call

    for name in COLLECTIVES:
        setattr(torch.distributed, name, watched(name))
    return calls


def counted_publications() -> list[str]:
    """A list that every result handed to the loggers adds its stage to."""
    stages: list[str] = []
    segiou.lightning.publisher.publish = lambda result, *_, **__: stages.append(result.stage)
    return stages


def main(folder: Path) -> None:
    """Run the cases, and write what this process has logged, warned of and communicated."""
    torch.set_num_threads(1)
    calls, published = counted_collectives(), counted_publications()
    results = {}
    for name, case in {**EQUAL_TO_ONE_PROCESS, **EQUAL_BETWEEN_RANKS}.items():
        calls.clear()
        published.clear()
        strategy = DDPStrategy(process_group_backend="gloo", timeout=timedelta(seconds=40))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            logged = case(devices=2, strategy=strategy)
        results[name] = {
            "logged": logged,
            "warnings": [str(one.message) for one in caught],
            "calls": list(calls),
            "published": list(published),
        }
    rank = torch.distributed.get_rank()
    (folder / f"rank{rank}.json").write_text(json.dumps(results))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
