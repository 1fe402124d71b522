"""What every public metric must do; a new one is picked up by itself."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn
from torchmetrics import MetricCollection

import segiou
from segiou import functional
from segiou.counting import inputs
from segiou.metrics.boundary import BandMetric
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.score_metric import ScoreMetric
from tests.helpers import oracle
from tests.helpers.metric_cases import (
    COUNTING,
    METRICS,
    TASKS,
    batch,
    build,
    every_case,
    every_counting_case,
    every_metric,
    named,
    same,
    states,
    tasks_of,
)

TWINS = {
    "MeanIoU": "mean_iou",
    "FBeta": "fbeta",
    "GeneralizedDice": "generalized_dice",
    "PixelAccuracy": "pixel_accuracy",
    "MeanAccuracy": "mean_accuracy",
    "FrequencyWeightedIoU": "frequency_weighted_iou",
    "CohenKappa": "cohen_kappa",
    "MatthewsCorrCoef": "matthews_corrcoef",
    "JaccardIndex": "jaccard_index",
    "BoundaryIoU": "boundary_iou",
    "TrimapIoU": "trimap_iou",
    "ConfusionMatrix": "confusion_matrix",
    "SegmentationMetrics": "segmentation_metrics",
    "ThresholdSweep": "threshold_sweep",
    "BinaryJaccardIndex": "binary_jaccard_index",
    "MulticlassJaccardIndex": "multiclass_jaccard_index",
    "MultilabelJaccardIndex": "multilabel_jaccard_index",
    "BinaryConfusionMatrix": "binary_confusion_matrix",
    "MulticlassConfusionMatrix": "multiclass_confusion_matrix",
    "MultilabelConfusionMatrix": "multilabel_confusion_matrix",
}


@every_case
def test_forward_gives_the_batch_and_compute_the_whole(metric, task):
    m, whole = build(metric, **TASKS[task]), build(metric, **TASKS[task])
    for seed in range(3):
        alone = build(metric, **TASKS[task])
        alone.update(*batch(task, seed=seed))
        assert same(m(*batch(task, seed=seed)), alone.compute())
        whole.update(*batch(task, seed=seed))
    assert m.update_count == whole.update_count == 3
    assert same(m.compute(), whole.compute())


@every_metric
def test_forward_counts_once(metric, task, monkeypatch):
    calls = []
    batches = inputs.batches
    monkeypatch.setattr(inputs, "batches", lambda *args: calls.append(1) or batches(*args))
    build(metric, **TASKS[task], dist_sync_on_step=True)(*batch(task))
    assert len(calls) == 1


@every_case
def test_merge_pickle_clone_and_reset(metric, task):
    a, b, whole = (build(metric, **TASKS[task]) for _ in range(3))
    a.update(*batch(task, seed=1), **named(metric, 1))
    b.update(*batch(task, seed=2), **named(metric, 2))
    whole.update(*batch(task, seed=1), **named(metric, 1))
    whole.update(*batch(task, seed=2), **named(metric, 2))
    a.compute()
    a.merge_state(b)
    assert same(a.compute(), whole.compute())
    for copied in (pickle.loads(pickle.dumps(a)), a.clone(), copy.deepcopy(a)):
        assert same(copied.compute(), whole.compute())
        copied.update(*batch(task, seed=3))
        assert not same(states(copied), states(a))
    assert same(a.compute(), whole.compute())
    a.reset()
    assert all(not state.any() for state in states(a).values())
    assert hash(a) != hash(b)


@every_counting_case
def test_the_functional_twin_gives_the_same(metric, task):
    twin = getattr(functional, TWINS.get(metric.__name__, metric.__name__.lower()))
    of_one_task = len(tasks_of(metric)) == 1
    arguments = {name: value for name, value in TASKS[task].items() if not (of_one_task and name == "task")}
    assert same(twin(*batch(task), **arguments), metric(**arguments)(*batch(task)))


@every_case
def test_arrays_lists_and_model_outputs_are_taken_as_they_are(metric, task):
    preds, target = batch(task)
    expected = build(metric, **TASKS[task])(preds, target)

    class Output:
        logits = preds

    for form in (preds.numpy(), {"out": preds, "aux": None}, {"logits": preds}, Output()):
        assert same(
            build(metric, **TASKS[task])(form, target.numpy() if isinstance(form, np.ndarray) else target), expected
        )
    assert same(build(metric, **TASKS[task])(list(preds), list(target)), expected)
    assert same(build(metric, **TASKS[task])(preds.requires_grad_(), target), expected)


@every_metric
def test_the_state_dict_holds_the_counts_when_persistent(metric, task):
    m = build(metric, **TASKS[task])
    assert not m.state_dict()
    m.persistent(True)
    m.update(*batch(task))
    fresh = build(metric, **TASKS[task])
    fresh.persistent(True)
    saved = m.state_dict()
    fresh.load_state_dict(saved)
    assert same(fresh.compute(), m.compute())
    fresh.update(*batch(task))
    assert all(same(state, saved[name]) for name, state in m.metric_state.items() if name not in m._rows)


@every_metric
def test_casting_never_touches_the_counts(metric, task):
    m = build(metric, **TASKS[task])
    m.update(*batch(task))
    before = {name: state.clone() for name, state in states(m).items()}
    for cast in (m.half, m.double, m.float, lambda: m.to(torch.bfloat16), lambda: m.set_dtype(torch.float16)):
        cast()
        assert same(states(m), before)
    m.reset()
    assert {name: state.dtype for name, state in states(m).items()} == {k: v.dtype for k, v in before.items()}


@every_metric
def test_inference_mode_in_any_order(metric, task):
    m = build(metric, **TASKS[task])
    for mode in (True, False, True, False):
        with torch.inference_mode(mode):
            m.update(*batch(task))
    assert same(m.compute(), build(metric, **TASKS[task])(*(torch.cat([x] * 4) for x in batch(task))))
    with torch.inference_mode():
        m.reset()
    m.update(*batch(task))
    assert same(m.compute(), build(metric, **TASKS[task])(*batch(task)))


@pytest.mark.parametrize("name", oracle.VALUES)
def test_values_equal_the_naive_loop(name):
    preds, target = batch("multiclass")
    counts = oracle.matrix(oracle.argmax(preds), oracle.pixels(target), 4, (255,))
    value = getattr(segiou, name)(**TASKS["multiclass"])(preds, target)
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(oracle.VALUES[name](counts), rel=1e-6)


def test_every_score_has_an_oracle():
    scores = {
        metric.__name__
        for metric in METRICS
        if issubclass(metric, ScoreMetric) and not issubclass(metric, BandMetric) and "multiclass" in tasks_of(metric)
    }
    assert scores == set(oracle.VALUES)


def test_values_equal_scikit_learn():
    preds, target = batch("multiclass", images=20)
    valid = target.flatten() != 255
    p, t = preds.argmax(1).flatten()[valid].numpy(), target.flatten()[valid].numpy()
    expected = {
        "CohenKappa": sklearn.cohen_kappa_score(t, p),
        "MatthewsCorrCoef": sklearn.matthews_corrcoef(t, p),
        "PixelAccuracy": sklearn.accuracy_score(t, p),
        "mIoU": sklearn.jaccard_score(t, p, average="macro", labels=range(4), zero_division=0),
        "Dice": sklearn.f1_score(t, p, average="macro", labels=range(4), zero_division=0),
        "FBeta": sklearn.fbeta_score(t, p, beta=2, average="macro", labels=range(4), zero_division=0),
    }
    values = segiou.SegmentationMetrics(**TASKS["multiclass"], beta=2.0, absent=0.0)(preds, target)
    for name, value in expected.items():
        assert float(values[name]) == pytest.approx(value, rel=1e-6), name
    matrix = segiou.ConfusionMatrix(**TASKS["multiclass"])(preds, target)
    assert matrix.tolist() == sklearn.confusion_matrix(t, p, labels=range(4)).tolist()


@pytest.mark.filterwarnings("ignore:.*shares of nothing")
@pytest.mark.parametrize("normalize", ["true", "pred", "all"])
def test_the_matrix_is_normalized_as_in_scikit_learn(normalize):
    preds, target = torch.randint(0, 3, (50,)), torch.randint(0, 2, (50,))
    matrix = segiou.ConfusionMatrix(4, normalize=normalize)(preds, target)
    expected = sklearn.confusion_matrix(target, preds, labels=range(4), normalize=normalize)
    torch.testing.assert_close(matrix, torch.tensor(expected, dtype=torch.float32))


def test_the_call_of_2021():
    target = torch.randint(0, 2, (10, 25, 25))
    pred = target.clone()
    pred[2:5, 7:13, 9:15] = 1 - pred[2:5, 7:13, 9:15]
    assert float(segiou.JaccardIndex(num_classes=2)(pred, target)) == pytest.approx(0.9660, abs=5e-5)


def test_the_data_set_is_scored_and_not_the_mean_of_images():
    """One missed pixel in the second image: the mean over images would say 0.75."""
    target = torch.zeros(2, 100, 100, dtype=torch.int64)
    target[1, 0, 0] = 1
    value = float(segiou.MeanIoU(2, average="micro")(torch.zeros_like(target), target))
    assert value == pytest.approx(19_999 / 20_001)


def test_segmentation_metrics_are_the_single_metrics_from_one_state():
    preds, target = batch("multiclass")
    names = ["road", "car", "tree", "sky"]
    together = segiou.SegmentationMetrics(**TASKS["multiclass"], class_names=names, per_class=True)
    values = together(preds, target)
    assert len(together.metric_state) == 2
    for metric in COUNTING:
        if metric.__name__ in values:
            assert same(values[metric.__name__], metric(**TASKS["multiclass"])(preds, target))
    assert same(values["mIoU"], segiou.MeanIoU(**TASKS["multiclass"])(preds, target))
    iou = segiou.MeanIoU(**TASKS["multiclass"], average="none")(preds, target)
    assert [key for key in values if "/" in key] == [f"IoU/{name}" for name in names]
    assert same(torch.stack([values[f"IoU/{name}"] for name in names]), iou)
    assert all(value.shape == () for value in values.values())
    named = segiou.SegmentationMetrics(**TASKS["multiclass"], prefix="val/")(preds, target)
    assert list(named)[:2] == ["val/mIoU", "val/Dice"]


def test_a_collection_shares_equal_configurations_and_never_others():
    """The first batch holds no 255 and no 0: the states are equal then, the configurations are not."""
    collection = MetricCollection(
        {
            "plain": segiou.MeanIoU(3, validate_args=False),
            "a": segiou.MeanIoU(3, ignore_index=255),
            "b": segiou.Dice(3, ignore_index=255),
            "c": segiou.MeanIoU(3, ignore_index=0),
            "many": segiou.SegmentationMetrics(3, ignore_index=[255, 0]),
        }
    )
    first = torch.tensor([1, 2, 1]), torch.tensor([1, 2, 2])
    second = torch.tensor([1, 2, 0, 0]), torch.tensor([2, 2, 0, 0])
    collection.update(*first)
    groups = sorted(map(sorted, collection.compute_groups.values()))
    assert groups == [["a", "b"], ["c"], ["many"], ["plain"]]
    collection.update(*second)
    values = collection.compute()
    for name, alone in {
        "plain": segiou.MeanIoU(3),
        "a": segiou.MeanIoU(3, ignore_index=255),
        "b": segiou.Dice(3, ignore_index=255),
        "c": segiou.MeanIoU(3, ignore_index=0),
    }.items():
        alone.update(*first)
        alone.update(*second)
        assert same(values[name], alone.compute()), name
    collection.reset()
    collection.update(*first)
    assert int(collection["b"].confmat.sum()) == 3


def test_states_are_named_by_their_configuration():
    arguments = [
        {"num_classes": 3},
        {"num_classes": 4},
        {"num_classes": 3, "ignore_index": 1},
        {"num_classes": 3, "ignore_index": -1},
        {"num_classes": 3, "ignore_index": [1, -1]},
        {"num_classes": 3, "validate_args": False},
        {"task": "binary"},
        {"task": "binary", "threshold": 0.25},
        {"task": "binary", "from_logits": True},
        {"task": "multilabel", "num_labels": 3},
    ]
    names = [ConfusionMatrixMetric(**argument)._state_name for argument in arguments]
    assert len(set(names)) == len(arguments)
    assert all(name.isidentifier() for name in names)
    same_rules = ConfusionMatrixMetric(3, ignore_index=(-1, 1), average="micro", exclude=[2])
    assert same_rules._state_name == names[4]


@every_metric
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*is.*deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This property will be removed in 2.0.0:DeprecationWarning")  # torchmetrics'
def test_a_module_that_holds_one_can_be_scripted(metric, task):
    scripted = torch.jit.script(build(metric, **TASKS[task]))
    assert isinstance(scripted, torch.jit.ScriptModule)
