"""The contract of torchmetrics, where its own way would lose or cast a count."""

import pickle
import re

import pytest
import torch
from torchmetrics import MetricCollection
from torchmetrics.utilities.exceptions import TorchMetricsUserError

from segiou import Dice, MeanIoU, Recall, SegmentationMetrics
from segiou.functional import mean_iou
from segiou.scoring.formulas import iou

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
    message = (
        "merge_state: the states are 'confmat_multiclass_3', 'errors', got 'confmat_multiclass_3_ignore255', 'errors': it "
        "was made with other arguments"
    )
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


def test_what_was_read_from_a_metric_does_not_change_with_it():
    metric = MeanIoU(3)
    metric.update(PREDS, TARGET)
    before, states = metric.confmat, metric.metric_state
    metric.update(PREDS, TARGET)
    metric(PREDS, TARGET)
    assert int(before.sum()) == int(states["confmat_multiclass_3"].sum()) == 4
    assert int(metric.confmat.sum()) == 12


def test_a_captured_metric_keeps_its_tensors():
    """A CUDA graph adds to the tensors that it has seen, also after a reset."""
    metric = MeanIoU(3)
    metric._captured = True
    states = metric.metric_state
    metric.update(PREDS, TARGET)
    metric.update(PREDS, TARGET)
    assert int(metric.confmat.sum()) == 8
    metric.reset()
    metric.update(PREDS, TARGET)
    assert int(metric.confmat.sum()) == 4
    assert all(metric.metric_state[name] is state for name, state in states.items())


def pixels(collection: MetricCollection) -> set[int]:
    return {int(metric.confmat.sum()) for metric in collection.values()}


@pytest.mark.parametrize(
    "copied", [lambda c: c, lambda c: c.clone(prefix="a_"), lambda c: pickle.loads(pickle.dumps(c))]
)
def test_members_of_a_collection_that_share_a_state_count_a_batch_once(copied):
    """After an update they hold the same tensor, and forward calls every one of them."""
    collection = MetricCollection([MeanIoU(3), Dice(3), SegmentationMetrics(3)])
    collection.update(PREDS, TARGET)
    collection = copied(collection)
    collection(PREDS, TARGET)
    assert pixels(collection) == {8}
    collection.update(PREDS, TARGET)
    assert pixels(collection) == {12}
    collection.reset()
    collection(PREDS, TARGET)
    collection(PREDS, TARGET)
    assert pixels(collection) == {8}


def test_a_member_that_is_added_later_does_not_make_the_others_count_twice():
    collection = MetricCollection([MeanIoU(3), Dice(3)])
    collection.update(PREDS, TARGET)
    collection.add_metrics(Recall(3))
    collection.update(PREDS, TARGET)
    assert int(collection["MeanIoU"].confmat.sum()) == int(collection["Dice"].confmat.sum()) == 8
    assert int(collection["Recall"].confmat.sum()) == 4


COUNTS, ERRORS = torch.ones(4, 4, dtype=torch.int64), torch.zeros(4, dtype=torch.int64)


@pytest.mark.parametrize(
    "states",
    [
        {"confmat_multiclass_3": COUNTS, "errors": ERRORS[:3]},
        {"confmat_multiclass_3": COUNTS, "errors": "x"},
        {"confmat_multiclass_3": COUNTS[0], "errors": ERRORS},
        {"confmat_multiclass_3": COUNTS * 0.5, "errors": ERRORS},
        {"confmat_multiclass_3": COUNTS.expand(2, 4, 4), "errors": ERRORS},
        {"confmat_multiclass_3": COUNTS},
        {"errors": ERRORS},
        {},
    ],
)
def test_states_that_do_not_fit_are_neither_merged_nor_loaded(states):
    metric = MeanIoU(3)
    metric.update(PREDS, TARGET)
    value, before = metric.compute(), metric.confmat.clone()
    with pytest.raises(ValueError, match="^merge_state: "):
        metric.merge_state(states)
    if states:
        with pytest.raises(RuntimeError, match="MeanIoU: "):
            metric.load_state_dict(dict(states))
    assert torch.equal(metric.confmat, before)
    assert torch.equal(metric.errors, ERRORS)
    assert metric._computed is value
    assert metric.update_count == 1


def test_a_synced_metric_neither_merges_nor_loads(monkeypatch):
    metric = MeanIoU(3, distributed_available_fn=lambda: True)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda buffer, group=None: buffer.mul_(2))
    metric.update(PREDS, TARGET)
    other, saved = metric.clone(), loaded(num_classes=3)
    metric.sync()
    with pytest.raises(TorchMetricsUserError, match="would drop merged counts"):
        metric.merge_state(other)
    with pytest.raises(TorchMetricsUserError, match="call unsync"):
        other.merge_state(metric)
    with pytest.raises(RuntimeError, match="would drop what is loaded"):
        metric.load_state_dict(saved)
    metric.unsync()
    metric.merge_state(other)
    assert int(metric.confmat.sum()) == 8


def test_a_metric_made_on_meta_counts_from_zero():
    with torch.device("meta"):
        module = torch.nn.ModuleList([MeanIoU(3)])
    module.to_empty(device="cpu")
    for metric in (module[0], MeanIoU(3).to("meta").to_empty(device="cpu")):
        metric.update(PREDS, TARGET)
        assert int(metric.confmat.sum()) == 4
        metric.reset()
        assert not metric.confmat.any()


def test_a_compiled_step_counts_as_a_plain_one():
    metric, plain = MeanIoU(3), MeanIoU(3)

    def step(metric, scores, target):
        metric.update(2 * scores, target)

    compiled = torch.compile(step, backend="eager")
    for size in (4, 4, 7):
        scores, target = torch.randn(2, 3, size), torch.randint(0, 3, (2, size))
        compiled(metric, scores, target)
        plain.update(scores, target)
    assert torch.equal(metric.confmat, plain.confmat)
    function = torch.compile(lambda p, t: mean_iou(p, t, 3), backend="eager")
    assert function(PREDS, TARGET) == plain(PREDS, TARGET)


def test_compiled_steps_may_have_any_number_of_metrics(caplog):
    """Each step has the same code, and each metric another ``update``."""

    class Step(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.metrics = torch.nn.ModuleList([MeanIoU(3), Dice(3)])

        def forward(self, preds, target):
            for metric in self.metrics:
                metric.update(preds, target)
            return preds + 1

    torch._dynamo.reset()
    for _ in range(10):
        step = Step()
        compiled = torch.compile(step, backend="eager")
        for _ in range(2):
            compiled(PREDS, TARGET)
        assert [int(metric.confmat.sum()) for metric in step.metrics] == [2 * TARGET.numel()] * 2
    assert "torch_compile.py" not in caplog.text


def test_an_integer_state_is_moved_with_the_module():
    metric = MeanIoU(3)
    metric.update(PREDS, TARGET)
    moved = metric.to("meta")
    assert moved.confmat.device.type == "meta"
    assert moved.device.type == "meta"


def test_formulas_give_nan_for_nothing_over_nothing():
    from segiou.scoring.formulas import Areas

    zero = torch.zeros(1, dtype=torch.float64)
    assert iou(Areas(zero, zero, zero)).isnan().all()


def divide_while_synced(metric):
    with metric.sync_context(should_unsync=False):
        raise ZeroDivisionError(int(metric.confmat.sum()))


def test_an_error_inside_a_sync_context_unsyncs_even_where_it_was_not_to(monkeypatch):
    metric = MeanIoU(3, distributed_available_fn=lambda: True)
    metric.update(PREDS, TARGET)
    counts = metric.confmat.clone()
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda buffer, group=None: buffer.mul_(2))
    with pytest.raises(ZeroDivisionError, match=str(2 * int(counts.sum()))):
        divide_while_synced(metric)
    assert not metric._is_synced
    assert torch.equal(metric.confmat, counts)
    with metric.sync_context(should_unsync=False):
        pass
    assert metric._is_synced, "as it was asked for"


def test_metrics_that_differ_in_align_corners_only_share_no_state():
    from torchmetrics import MetricCollection

    scores, target = torch.randn(1, 3, 3, 3), torch.randint(0, 3, (1, 9, 9))
    plain, aligned = (MeanIoU(3, upsample="bilinear", align_corners=flag) for flag in (False, True))
    both = MetricCollection({"plain": plain.clone(), "aligned": aligned.clone()})
    for _ in range(2):
        both.update(scores, target)
        plain.update(scores, target)
        aligned.update(scores, target)
    assert len(both.compute_groups) == 2
    assert not torch.equal(plain.confmat, aligned.confmat)
    assert both.compute() == {"plain": plain.compute(), "aligned": aligned.compute()}
    plain.persistent(True)
    aligned.persistent(True)
    with pytest.raises(RuntimeError, match="it was made with other arguments"):
        aligned.load_state_dict(plain.state_dict())
