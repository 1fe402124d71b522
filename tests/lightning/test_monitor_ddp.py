"""The monitor on two processes, started as a script, against one process and against the naive loop."""

import sys
from typing import Any

import pytest

from tests.helpers import lightning_ddp_cases as cases
from tests.helpers.lightning_cases import OF_LIGHTNING, Tiny, close, naive_of, samples
from tests.helpers.processes import ROOT, results_of_two_ranks

pytestmark = OF_LIGHTNING
SCRIPT = ROOT / "tests" / "helpers" / "lightning_ddp.py"


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of the two processes has logged, by case."""
    folder = tmp_path_factory.mktemp("ddp")
    return results_of_two_ranks([sys.executable, str(SCRIPT)], folder, cwd=folder)


@pytest.mark.parametrize("name", cases.EQUAL_TO_ONE_PROCESS)
def test_two_processes_log_what_one_does(ranks, name):
    alone = cases.EQUAL_TO_ONE_PROCESS[name](devices=1)
    assert alone
    assert [rank[name]["logged"] for rank in ranks] == [alone, alone]  # to the last bit


@pytest.mark.parametrize("name", cases.EQUAL_BETWEEN_RANKS)
def test_the_ranks_log_the_same(ranks, name):
    first, second = (rank[name]["logged"] for rank in ranks)
    assert {"train/mIoU", "train/Dice", "val/mIoU", "val/Dice"} <= first.keys()
    assert first == second


@pytest.mark.parametrize(
    ("name", "stage", "suffix", "data"),
    [
        ("odd_data_set", "val", "", samples(7)),
        ("two_loaders", "val", "/dataloader_idx_0", samples(7)),
        ("two_loaders", "val", "/dataloader_idx_1", samples(5, seed=1)),
        ("tested", "test", "", samples(7)),
        ("train_stage", "train", "", samples(7)),
        ("captured_network", "val", "", samples(7)),
        ("captured_forward", "val", "", samples(7)),
        ("captured_training", "train", "", samples(7)),
        ("captured_training", "val", "", samples(5)),
        ("rank_without_batches", "val", "", samples(7)),
    ],
)
def test_the_values_are_those_of_every_sample_once(ranks, name, stage, suffix, data):
    assert close(ranks[1][name]["logged"], stage, naive_of(Tiny(), data), suffix)


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(
    ("name", "reductions"),
    [("odd_data_set", 1), ("two_loaders", 1), ("rank_without_batches", 1), ("monitored", 2), ("train_stage", 4)],
)
def test_one_all_reduce_an_epoch(ranks, rank, name, reductions):
    assert ranks[rank][name]["calls"] == ["all_reduce"] * reductions


@pytest.mark.parametrize("rank", [0, 1])
def test_one_all_reduce_for_all_metrics_and_gathers_for_kept_images_alone(ranks, rank):
    calls = ranks[rank]["more_metrics"]["calls"]
    assert calls[0] == "all_reduce"
    assert set(calls[1:]) == {"barrier", "all_gather"}


def test_every_rank_raises_where_no_step_gave_anything(ranks):
    assert [rank["nothing_given"]["logged"] for rank in ranks] == [{"raised": 1.0}] * 2


def test_only_rank_0_hands_results_to_the_loggers(ranks):
    assert [rank["two_loaders"]["published"] for rank in ranks] == [["val", "val"], []]
    assert [rank["trained"]["published"] for rank in ranks] == [["val", "train"], []]


def test_a_report_shows_the_worst_images_of_all_processes(ranks):
    shown = [name for name in ranks[0]["reported"]["logged"] if ".html" in name]
    assert len(shown) == 12 + 5
    assert shown[0] == "report_dataloader_idx_0.html/0"
    assert shown[-1] == "report_dataloader_idx_1.html/4"


def test_the_images_to_look_at_are_those_of_all_processes_once(ranks):
    shown = ranks[0]["sampled"]["logged"]
    scores = [value for key, value in shown.items() if key.startswith("20/") and key.endswith("score")]
    assert len(scores) == 7
    assert scores == sorted(scores)
    assert [shown[f"3/{place}/score"] for place in range(3)] == scores[:3]
    first = [float(target.sum()) for _, target in list(samples(7))[:4]]
    assert [shown[f"first/{place}/label"] for place in range(4)] == first


def test_training_stops_early_and_keeps_the_best(ranks):
    got = ranks[1]["monitored"]["logged"]
    assert got["epochs"] == 2
    assert got["best"] == got["val/mIoU"]


def test_nothing_is_warned_of(ranks):
    said = {text for rank in ranks for case in rank.values() for text in case["warnings"]}
    own = [text for text in said if any(word in text for word in ("twice", "Monitor", "sync_dist", "resumed"))]
    assert not own
