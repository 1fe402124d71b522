"""What each of several processes does, as torchrun starts them."""

import os

import pytest

from segiou.evaluation import processes


@pytest.mark.parametrize(
    ("cores", "local", "share"), [(8, None, 8), (8, "1", 8), (8, "3", 2), (8, "8", 1), (2, "4", 1), (1, None, 1)]
)
def test_the_cores_are_shared_among_the_processes_of_a_machine(monkeypatch, cores, local, share):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    if local is not None:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", local)
    assert processes.threads() == share


def test_where_the_cores_of_a_process_are_not_known_those_of_the_machine_are_shared(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert processes.threads() == 3


@pytest.mark.parametrize("error", [ValueError("no file pairs"), FileNotFoundError(2, "No such file", "gt")])
def test_what_fails_in_the_first_process_is_told_to_all(monkeypatch, error):
    """The others would wait for ever for a word that does not come."""
    told = []

    def fails():
        raise error

    monkeypatch.setattr(processes, "place", lambda: (0, 2))
    monkeypatch.setattr(processes.distributed, "broadcast_object_list", told.extend)
    with pytest.raises(type(error)) as raised:
        processes.from_first(fails)
    assert raised.value is error
    assert told == [error]


def test_the_others_have_what_the_first_process_tells(monkeypatch):
    def tell(objects):
        objects[0] = "pairs"

    monkeypatch.setattr(processes, "place", lambda: (1, 2))
    monkeypatch.setattr(processes.distributed, "broadcast_object_list", tell)
    assert processes.from_first(lambda: pytest.fail("only the first process looks")) == "pairs"
