"""The contract of torchmetrics, where its own way would lose or cast a count."""

import re

import pytest
import torch
from torchmetrics.utilities.exceptions import TorchMetricsUserError

from segiou import Dice, MeanIoU, SegmentationMetrics
from segiou.formulas import iou

PREDS, TARGET = torch.tensor([[0, 1, 1, 2]]), torch.tensor([[0, 1, 2, 2]])


def loaded(**arguments) -> dict[str, torch.Tensor]:
    metric = MeanIoU(**arguments)
    metric.persistent(True)
    metric.update(PREDS, TARGET)
    return metric.state_dict()


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("arguments", [{"num_classes": 4}, {"num_classes": 3, "ignore_index": 255}])
def test_a_state_dict_of_another_configuration_is_an_error_that_says_so(arguments, strict):
    metric = MeanIoU(3)
    metric.update(PREDS, TARGET)
    before = metric.confmat.clone()
    with pytest.raises(RuntimeError, match="the states are 'confmat_multiclass_3', 'errors', got 'confmat_multiclass"):
        metric.load_state_dict(loaded(**arguments), strict=strict)
    assert torch.equal(metric.confmat, before)
    assert metric.update_count == 1


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (torch.zeros(3, 3, dtype=torch.int64), "must be int64 of shape (4, 4), got torch.int64 of shape (3, 3)"),
        (torch.zeros(4, 4), "must be int64 of shape (4, 4), got torch.float32 of shape (4, 4)"),
        ([1], "must be a tensor, got a list"),
    ],
)
def test_a_state_of_another_shape_is_an_error_that_says_so(state, message):
    metric = MeanIoU(3)
    with pytest.raises(RuntimeError, match=re.escape(f"MeanIoU: state 'confmat_multiclass_3' {message}")):
        metric.load_state_dict({**loaded(num_classes=3), "confmat_multiclass_3": state})
    assert metric.confmat.shape == (4, 4)


def test_inside_a_module_a_wrong_state_names_itself_and_a_right_one_loads():
    module = torch.nn.ModuleDict({"iou": MeanIoU(3), "dice": Dice(4)})
    for metric in module.values():
        metric.persistent(True)
        metric.update(PREDS, TARGET)
    saved = module.state_dict()
    fresh = torch.nn.ModuleDict({"iou": MeanIoU(3), "dice": Dice(4)})
    fresh.load_state_dict(saved)
    assert fresh["iou"].compute() == module["iou"].compute()
    other = torch.nn.ModuleDict({"iou": MeanIoU(3), "dice": Dice(5)})
    with pytest.raises(RuntimeError, match="Dice: the states are 'confmat_multiclass_5'"):
        other.load_state_dict(saved)


def test_merge_of_another_configuration_is_an_error_that_says_so():
    metric = MeanIoU(3)
    metric.update(PREDS, TARGET)
    message = "merge_state needs the state 'confmat_multiclass_3', got ['confmat_multiclass_3_ignore255', 'errors']"
    with pytest.raises(ValueError, match=re.escape(message)):
        metric.merge_state(MeanIoU(3, ignore_index=255))
    assert metric.update_count == 1
    metric.merge_state(metric.metric_state)
    assert int(metric.confmat.sum()) == 8


def test_merge_after_compute_is_not_the_value_of_before():
    a, b = MeanIoU(3), MeanIoU(3)
    a.update(PREDS, PREDS)
    b.update(PREDS, TARGET)
    assert a.compute() == 1
    a.merge_state(b)
    assert a.compute() < 1


def test_merge_into_an_empty_metric_has_something_to_compute():
    a, b = MeanIoU(3), MeanIoU(3)
    b.update(PREDS, TARGET)
    a.merge_state(b)
    assert a.compute() == b.compute()  # and no warning


def test_an_error_in_compute_leaves_the_metric_unsynced(monkeypatch):
    """torchmetrics' sync_context would leave it synced, with the counts of all processes as its own."""
    metric = MeanIoU(3, distributed_available_fn=lambda: True)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda buffer, group=None: buffer.mul_(2))
    metric.update(PREDS, TARGET)
    before = metric.confmat.clone()
    monkeypatch.setattr(metric, "value_of", lambda counts: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        metric.compute()
    assert not metric._is_synced
    assert torch.equal(metric.confmat, before)


def test_a_failing_all_reduce_leaves_the_local_state(monkeypatch):
    metric = MeanIoU(3, distributed_available_fn=lambda: True)
    metric.update(PREDS, TARGET)
    before = metric.confmat.clone()

    def fail(buffer, group=None):
        buffer.zero_()
        raise RuntimeError("connection closed")

    monkeypatch.setattr(torch.distributed, "all_reduce", fail)
    with pytest.raises(RuntimeError, match="connection closed"):
        metric.compute()
    assert torch.equal(metric.confmat, before)
    metric.update(PREDS, TARGET)


def test_a_synced_metric_takes_no_batch(monkeypatch):
    metric = MeanIoU(3, distributed_available_fn=lambda: True)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda buffer, group=None: buffer.mul_(2))
    metric.update(PREDS, TARGET)
    metric.sync()
    assert int(metric.confmat.sum()) == 8
    for call in (metric.update, metric.forward):
        with pytest.raises(TorchMetricsUserError, match="unsync would drop this batch"):
            call(PREDS, TARGET)
    counts, _ = metric.synced()
    assert int(counts.sum()) == 8
    assert metric._is_synced
    metric.unsync()
    assert int(metric.confmat.sum()) == 4


def test_the_users_own_dist_sync_fn_is_used():
    def gathered(state, group=None):
        return [state, 2 * state]

    metric = MeanIoU(3, dist_sync_fn=gathered, distributed_available_fn=lambda: True)
    metric.update(PREDS, TARGET)
    assert metric.compute() == MeanIoU(3)(PREDS, TARGET)
    assert int(metric.confmat.sum()) == 4
    with metric.sync_context(dist_sync_fn=gathered):
        assert int(metric.confmat.sum()) == 12


def test_forward_with_a_failing_compute_keeps_what_was_counted(monkeypatch):
    metric = SegmentationMetrics(3)
    metric.update(PREDS, TARGET)
    monkeypatch.setattr(metric, "value_of", lambda counts: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        metric(PREDS, TARGET)
    assert int(metric.confmat.sum()) == 4
    assert metric.update_count == 1


def test_the_counts_of_a_batch_are_not_shared_with_its_value():
    metric = MeanIoU(3)
    metric.update(PREDS, TARGET)
    state = metric.confmat
    metric.update(PREDS, TARGET)
    assert metric.confmat is state, "the state stays one tensor, so that a CUDA graph can be replayed"
    assert int(state.sum()) == 8


def test_an_integer_state_is_moved_with_the_module():
    metric = MeanIoU(3)
    metric.update(PREDS, TARGET)
    moved = metric.to("meta")
    assert moved.confmat.device.type == "meta"
    assert moved.device.type == "meta"


def test_formulas_give_nan_for_nothing_over_nothing():
    from segiou.formulas import Areas

    zero = torch.zeros(1, dtype=torch.float64)
    assert iou(Areas(zero, zero, zero)).isnan().all()
