"""Scripts that run on several processes, and what each rank has written."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
SECONDS = 200
OF_A_LAUNCHER = ("LOCAL_RANK", "WORLD_SIZE")


def results_of_two_ranks(command: list[str], folder: Path, cwd: Path = ROOT) -> list[dict[str, Any]]:
    """Run a command, given a folder, that starts two processes; read the ``rank<r>.json`` that each writes there.

    Processes that hang are killed, with all that they have started, and fail the test.
    """
    settings = {name: value for name, value in os.environ.items() if name not in OF_A_LAUNCHER}
    path = os.pathsep.join(filter(None, [str(ROOT), settings.get("PYTHONPATH")]))
    with subprocess.Popen(
        [*command, str(folder)],
        env={**settings, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            printed, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(f"the processes hang:\n{process.communicate()[0][-3000:]}")
    assert process.returncode == 0, printed[-5000:]
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in (0, 1)]
