"""Real processes over gloo: equal to the last bit on any number of them, and one collective a value."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from segiou import MeanIoU, SegmentationMetrics
from tests.helpers import oracle
from tests.helpers.ddp_metrics import data, every, every_of_images, every_twin, tables
from tests.helpers.processes import ROOT, SECONDS


def run(folder: Path, world: int) -> list[dict[str, Any]]:
    folder.mkdir()
    command = [sys.executable, "-W", "error", "-m", "tests.helpers.ddp_metrics", str(folder)]
    processes = [
        subprocess.Popen([*command, str(rank), str(world)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for rank in range(world)
    ]
    try:
        errors = [process.communicate(timeout=SECONDS)[1] for process in processes]
    finally:
        for process in processes:  # no process outlives a test that has failed
            process.kill()
            process.wait()
    assert all(process.returncode == 0 for process in processes), errors
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(world)]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("ddp")
    return {world: run(folder / str(world), world) for world in (1, 2, 3)}


worlds = pytest.mark.parametrize("world", [1, 2, 3])


@worlds
def test_the_matrix_is_that_of_one_process_bit_for_bit(seen, world):
    preds, target = data()
    expected = oracle.matrix(oracle.argmax(preds), oracle.pixels(target), 5, (255,))
    for rank in seen[world]:
        assert rank["counts"] == rank["synced"] == expected


@worlds
def test_the_values_are_those_of_one_process_bit_for_bit(seen, world):
    values = SegmentationMetrics(5, ignore_index=255, per_class=True)(*data())
    for rank in seen[world]:
        assert rank["values"] == {name: value.item().hex() for name, value in values.items()}
        assert rank["dice"] == values["Dice"].item().hex()


@pytest.mark.parametrize("world", [2, 3])
def test_every_metric_that_counts_has_the_value_of_one_process_bit_for_bit_and_by_one_all_reduce(seen, world):
    expected = every([], slice(None))
    assert "ThresholdSweep multilabel" in expected
    for rank in seen[world]:
        assert rank["every"] == {name: [value, ["all_reduce"]] for name, (value, _) in expected.items()}


@pytest.mark.parametrize("world", [2, 3])
def test_twins_have_the_value_of_one_process_bit_for_bit_where_a_rank_has_no_batch_too(seen, world):
    expected = every_twin([], [0, 1])
    for rank in seen[world]:
        for name, (value, calls) in rank["twins"].items():
            assert value == expected[name][0], name
            assert calls[0] == "all_reduce"
            assert len(calls) == 1 or name in ("MeanIoU of unknown classes", "F1Score of images")  # which keep rows


@pytest.mark.parametrize("world", [2, 3])
def test_metrics_of_images_have_the_value_of_one_process_bit_for_bit(seen, world):
    expected = every_of_images([], 0, 1)
    for place, rank in enumerate(seen[world]):
        found = rank["of images"]
        assert found.pop("local") == [f"{i}.png" for i in range(place, 7, world)] + ["0.png"] * (place == world - 1)
        assert found.pop("ids") == expected["ids"] == [f"{i}.png" for i in range(7)]
        for name, (value, calls) in found.items():
            assert value == expected[name][0], name
            assert calls[0] == "all_reduce"
            assert len(calls) == 1 or name in ("kept", "worst")


@pytest.mark.parametrize("world", [2, 3])
def test_a_value_costs_one_all_reduce_and_nothing_else(seen, world):
    for rank in seen[world]:
        assert rank["many"] == ["all_reduce"]
        assert rank["one"] == ["all_reduce"]
        assert rank["again"] == []
        assert rank["together"] == ["all_reduce", "all_reduce"]
        assert rank["bare sync"] == ["all_reduce"]


@pytest.mark.parametrize("world", [2, 3])
def test_local_states_are_kept(seen, world):
    for rank in seen[world]:
        assert rank["local kept"]
        assert rank["shared states apart"]
        assert rank["bad kept"]


@pytest.mark.parametrize("world", [2, 3])
def test_forward_can_sync_its_batch(seen, world):
    for rank in seen[world]:
        assert rank["step"] == rank["step expected"]


@worlds
def test_a_rank_without_batches_has_the_same_value(seen, world):
    expected = MeanIoU(5, ignore_index=255)(*data()).item().hex()
    assert [rank["rank without batches"] for rank in seen[world]] == [expected] * world


@worlds
def test_bad_labels_on_one_process_raise_on_every_one(seen, world):
    for rank in seen[world]:
        assert "got 3 pixels of target and 0 pixels of preds outside" in rank["bad"]


@worlds
def test_a_process_group_is_respected(seen, world):
    assert seen[world][0]["group"] == seen[world][0]["group expected"]


@pytest.mark.parametrize("world", [2, 3])
def test_rows_are_gathered_within_the_process_group_only(seen, world):
    for place, rank in enumerate(seen[world]):
        assert rank["rows of groups"] == {name: [place] for name in ("alone", "together 0", "together 1")}


@pytest.mark.parametrize("world", [2, 3])
def test_every_process_has_the_table_of_all_and_keeps_its_own_counts(seen, world):
    expected = tables([], 0, 1)
    for rank in seen[world]:
        for name, (table, calls, kept) in rank["tables"].items():
            assert table == expected[name][0], name
            assert kept, name
            assert calls == ["all_reduce"] or name == "kept", name
