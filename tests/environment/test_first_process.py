"""Which process has the threads of the first one, and which may only have copied what it knew of them."""

import multiprocessing
import os
import subprocess
import sys

import pytest

HERE = "from segiou.environment.first_process import is_forked; print(is_forked())"
IN_A_CHILD = """
import multiprocessing
{before}
def child():
    from segiou.environment.first_process import is_forked
    print(is_forked(), flush=True)
if __name__ == "__main__":
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
"""
BY_HAND = """
import os
from segiou.environment.first_process import is_forked
if not os.fork():
    print(is_forked(), flush=True)
    os._exit(0)
os.wait()
"""
without_fork = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork on this system"
)


def printed(program):
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ, timeout=60
    ).stdout.strip()


def test_a_process_that_was_started_anew_is_none():
    assert printed(HERE) == "False"


@without_fork
@pytest.mark.parametrize("before", ["", "import segiou.environment.first_process"])
def test_a_child_of_multiprocessing_is_one_whenever_it_was_imported(before):
    assert printed(IN_A_CHILD.format(before=before)) == "True"


@without_fork
def test_a_child_that_was_forked_by_hand_is_one():
    assert printed(BY_HAND) == "True"
