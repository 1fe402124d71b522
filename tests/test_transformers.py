"""``compute_metrics`` in a real Trainer, on one process and on two, against the naive loop."""

import gc
import json
import re
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("accelerate", reason="accelerate, which its Trainer needs, is not installed")

from transformers import EvalPrediction, SegformerConfig, SegformerForSemanticSegmentation

from segiou import ConfusionMatrix, LabelSet, MeanIoU
from segiou.transformers import compute_metrics
from tests.helpers import oracle
from tests.helpers import transformers_cases as cases
from tests.helpers.processes import TORCHRUN, results_of_two_ranks
from tests.helpers.strategies import labels
from tests.helpers.transformers_cases import CLASSES, IGNORED, Given, Samples, measured, naive, trainer

NAMES = ("MeanAccuracy", "PixelAccuracy", "Dice", "Precision", "Recall", "CohenKappa", "MatthewsCorrCoef")


def close(scores: dict[str, float], counts: list[list[int]], prefix: str = "eval_", per_class: bool = False) -> bool:
    """Whether scores are those of the counts, as far as the oracle knows them."""
    expected = {"mIoU": oracle.macro(oracle.iou, counts), **{name: oracle.VALUES[name](counts) for name in NAMES}}
    classes = range(CLASSES) if per_class else range(0)
    expected |= {f"IoU/{c}": oracle.macro(oracle.iou, counts, range(c, c + 1)) for c in classes}
    assert per_class == any("IoU/" in name for name in scores)
    return {name: scores[prefix + name] for name in expected} == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_an_evaluation_is_that_of_the_naive_loop(tmp_path):
    scores = cases.by_batch(tmp_path)
    assert close(scores, naive(Samples(7)), per_class=True)
    assert all(type(score) is float for score in scores.values())


@pytest.mark.parametrize("case", [cases.twice, cases.at_once], ids=lambda case: case.__name__)
def test_it_is_the_same_again_and_all_at_once(tmp_path, case):
    assert case(tmp_path) == cases.by_batch(tmp_path)


def test_every_pixel_is_counted_once(tmp_path):
    assert cases.pixel_count(tmp_path) == {"eval_mIoU": 7 * 6 * 5}


def test_an_evaluation_that_failed_leaves_nothing_behind(tmp_path):
    message, after = cases.bad_label(tmp_path)
    assert message == (
        "target labels must be 0 to 3, got 255 (1 pixel): pass ignore_index=255 to leave them out, "
        "or validate_args=False to leave out all outside"
    )
    assert after == {"eval_mIoU": 7 * 6 * 5}


class Interrupted(Given):
    def forward(self, maps: torch.Tensor, labels: torch.Tensor) -> Any:
        self.left = getattr(self, "left", 2) - 1
        if not self.left:
            raise KeyboardInterrupt
        return super().forward(maps, labels)


def test_an_evaluation_that_was_interrupted_is_not_counted_in_the_next(tmp_path):
    again = trainer(tmp_path, compute_metrics(CLASSES, ignore_index=IGNORED), model=Interrupted())
    with pytest.raises(KeyboardInterrupt):
        again.evaluate()
    with pytest.warns(UserWarning, match="an evaluation was not finished: its batches are left out"):
        assert close(measured(again.evaluate()), naive(Samples(7)))


def test_predict_has_names_of_its_own(tmp_path):
    measure = compute_metrics(CLASSES, ignore_index=IGNORED)
    result = trainer(tmp_path, measure).predict(Samples(5))
    assert close(result.metrics, naive(Samples(5)), "test_")


def test_several_data_sets_are_not_mixed(tmp_path):
    measure = compute_metrics(CLASSES, ignore_index=IGNORED)
    scores = trainer(tmp_path, measure, data={"some": Samples(3), "more": Samples(7)}).evaluate()
    assert close(scores, naive(Samples(3)), "eval_some_")
    assert close(scores, naive(Samples(7)), "eval_more_")


def test_of_several_outputs_the_first_is_taken_or_what_outputs_says(tmp_path):
    first = compute_metrics(CLASSES, ignore_index=IGNORED)
    second = compute_metrics(CLASSES, ignore_index=IGNORED, outputs=lambda it: (it.predictions[1], it.label_ids))
    assert close(trainer(tmp_path, first, model=Given(True)).evaluate(), naive(Samples(7)))
    assert close(trainer(tmp_path, second, model=Given(True)).evaluate(), naive(Samples(7), sign=-1))


def test_labels_in_a_tuple():
    measure = compute_metrics(CLASSES, ignore_index=IGNORED)
    sample = Samples(3)[2]
    maps, target = sample["maps"][None], sample["labels"][None]
    assert measure(EvalPrediction((maps, -maps), (target, 0 * target))) == measure(EvalPrediction(maps, target))


def test_the_best_checkpoint_is_that_of_the_highest_miou(tmp_path):
    measure = compute_metrics(CLASSES, ignore_index=IGNORED)
    saved = {"save_strategy": "epoch", "metric_for_best_model": "eval_mIoU", "load_best_model_at_end": True}
    training = trainer(
        tmp_path,
        measure,
        eval_strategy="epoch",
        num_train_epochs=3,
        learning_rate=1.5,
        lr_scheduler_type="constant",
        **saved,
    )
    training.train()
    seen = [entry["eval_mIoU"] for entry in training.state.log_history if "eval_mIoU" in entry]
    assert len(set(seen)) > 1
    assert training.state.best_metric == max(seen) == training.evaluate()["eval_mIoU"]


def test_nothing_of_a_batch_is_kept(tmp_path):
    measure = compute_metrics(CLASSES, ignore_index=IGNORED)
    given: list[weakref.ref[torch.Tensor]] = []
    sizes = []

    def watched(eval_pred: EvalPrediction, compute_result: bool) -> dict[str, float]:
        gc.collect()
        assert not [ref for ref in given if ref() is not None]
        scores = measure(eval_pred, compute_result)
        given.extend(weakref.ref(tensor) for tensor in eval_pred)
        sizes.append(sum(state.nbytes for state in measure.metric.metric_state.values()))
        return scores

    trainer(tmp_path, watched).evaluate()
    assert len(given) == 8
    assert set(sizes) == {(5 * 5 + 4) * 8}


def test_a_segformer_is_scored_as_its_own_post_processing_would_be(tmp_path):
    config = SegformerConfig(
        num_labels=CLASSES,
        depths=[1] * 4,
        hidden_sizes=[4] * 4,
        num_attention_heads=[1] * 4,
        decoder_hidden_size=4,
    )
    model = SegformerForSemanticSegmentation(config).eval()
    pixels = torch.randn(3, 3, 32, 32)
    target = torch.randint(CLASSES, (3, 30, 26))
    target[:, :, 20:] = IGNORED
    data = [{"pixel_values": pixels[n], "labels": target[n]} for n in range(3)]
    scores = trainer(tmp_path, compute_metrics(CLASSES, ignore_index=IGNORED), data=data, model=model).evaluate()
    with torch.no_grad():
        logits = model(pixels).logits
    assert logits.shape == (3, CLASSES, 8, 8)
    shown = [torch.nn.functional.interpolate(one[None], (30, 26), mode="bilinear") for one in logits]
    preds = [label for one in shown for label in oracle.argmax(one)]
    assert close(scores, oracle.matrix(preds, oracle.pixels(target), CLASSES, (IGNORED,)))


@given(st.data())
def test_batches_and_forms_do_not_matter(data):
    shape = (data.draw(st.integers(1, 5)), 3, 2)
    target = data.draw(labels(shape, CLASSES, dtypes=[torch.int64, torch.uint8]))
    preds = data.draw(labels(shape, CLASSES, dtypes=[torch.int64]))
    cut = data.draw(st.integers(0, len(target) - 1))
    measure = compute_metrics(CLASSES, per_class=True)
    assert measure(EvalPrediction(preds[:cut], target[:cut]), False) == {}
    scores = measure(EvalPrediction(preds[cut:], target[cut:]), True)
    assert close(scores, oracle.matrix(oracle.pixels(preds), oracle.pixels(target), CLASSES), "", per_class=True)
    as_arrays = measure(EvalPrediction(preds.numpy(), target.numpy()))
    np.testing.assert_equal(as_arrays, scores)


def test_a_label_set_gives_names_and_ignored_values():
    mine = LabelSet("mine", ["road", "car"], ignore_index=255)
    target = torch.tensor([[[0, 1, 255]]])
    scores = compute_metrics(mine, per_class=True)(EvalPrediction(torch.tensor([[[0, 0, 0]]]), target))
    assert (scores["IoU/road"], scores["IoU/car"], scores["mIoU"]) == (0.5, 0.0, 0.25)


def test_the_metric_that_is_given_is_not_changed():
    metric = MeanIoU(2, average="none", class_names=["road", "car"])
    measure = compute_metrics(metric=metric)
    batch = EvalPrediction(torch.tensor([[[0, 1]]]), torch.tensor([[[0, 0]]]))
    assert measure(batch) == {"mIoU_per_class/road": 0.5, "mIoU_per_class/car": 0.0}
    measure(batch, False)
    assert metric.confmat.sum() == 0
    assert metric.sync_on_compute


LOW = torch.zeros(2, 2, 2, 2)
TARGET = torch.tensor([[[0, 1, 1]] * 3 + [[-100] * 3]] * 2)


def test_labels_that_may_be_padded_are_not_counted_as_if_they_were_not():
    measure = compute_metrics(2, ignore_index=-100)
    message = (
        "labels of shape (2, 4, 3) end in rows of -100, with which the Trainer pads labels of different heights, so "
        "logits of shape (2, 2, 2, 2) cannot be brought to their size: make all labels of one size, or mark ignored "
        "pixels with another value than -100"
    )
    for preds, target in ((LOW, TARGET), (LOW.numpy(), TARGET.numpy())):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            measure(EvalPrediction(preds, target))
    with pytest.raises(ValueError, match=re.escape("labels of shape (4, 3) end in rows of -100")):
        measure(EvalPrediction(list(LOW), list(TARGET)))


def test_rows_of_ignored_pixels_that_cannot_be_padding_are_ignored():
    measure = compute_metrics(2, ignore_index=-100)
    assert measure(EvalPrediction(LOW, TARGET), True)["PixelAccuracy"] == pytest.approx(1 / 3)  # one process, by batch
    full = torch.zeros(2, 2, 4, 3)
    assert measure(EvalPrediction(full, TARGET))["PixelAccuracy"] == pytest.approx(1 / 3)
    assert measure(EvalPrediction(LOW, TARGET.flip(1)))["PixelAccuracy"] == pytest.approx(1 / 3)


def test_minus_100_is_no_exception():
    with pytest.raises(ValueError, match=re.escape("0 to 1, got -100 (6 pixels): pass ignore_index=-100")):
        compute_metrics(2)(EvalPrediction(LOW, TARGET), True)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"metric": MeanIoU(2), "num_classes": 2}, ValueError, "metric has arguments of its own: give num_classes"),
        ({"metric": MeanIoU(2), "ignore_index": 255}, ValueError, "metric has arguments of its own"),
        ({"metric": MeanIoU(2), "upsample": "nearest"}, ValueError, "metric has arguments of its own"),
        ({"metric": torch.nn.ReLU()}, TypeError, "metric must be one of segiou's, got ReLU()"),
        (
            {"metric": ConfusionMatrix(2)},
            ValueError,
            "ConfusionMatrix has a value of shape (2, 2), which cannot be logged",
        ),
        (
            {"num_classes": 2, "outputs": "logits"},
            TypeError,
            "outputs must be a function of an EvalPrediction, got 'logits'",
        ),
        ({}, ValueError, "num_classes"),
    ],
)
def test_bad_arguments(arguments, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        compute_metrics(**arguments)


def test_upsample_can_be_forbidden():
    with pytest.raises(ValueError, match="preds and target do not fit"):
        compute_metrics(2, upsample=None)(SimpleNamespace(predictions=LOW, label_ids=TARGET.clamp(min=0)))


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes has measured, by case."""
    return results_of_two_ranks([*TORCHRUN, "tests.helpers.transformers_cases"], tmp_path_factory.mktemp("ranks"))


@pytest.mark.parametrize("case", cases.SAME, ids=lambda case: case.__name__)
def test_two_processes_measure_what_one_does(ranks, tmp_path, case):
    alone = json.loads(json.dumps(case(tmp_path)))
    assert alone
    assert [rank[case.__name__] for rank in ranks] == [alone, alone]  # to the last bit


def test_two_processes_refuse_labels_that_were_padded(ranks, tmp_path):
    assert close(cases.padded(tmp_path), naive(Samples(6, lambda index: (6 + index % 2, 5))))
    assert all("labels of shape (2, 7, 5) end in rows of -100" in rank["padded"] for rank in ranks)


def test_samples_that_were_repeated_and_cannot_be_known_are_warned_of(ranks, tmp_path):
    assert list(cases.repeated(tmp_path)) == [{"eval_mIoU": 5 * 30}, []]
    message = (
        "the evaluated data set has no length, so samples that were repeated to give each process equally many are "
        "counted again: leave dispatch_batches=False out of accelerator_config, or give the data set a length"
    )
    assert [rank["repeated"] for rank in ranks] == [[{"eval_mIoU": 8 * 30}, [message]], [{"eval_mIoU": 8 * 30}, []]]


def test_batches_that_are_dropped_are_not_warned_of(ranks, tmp_path):
    assert list(cases.dropped(tmp_path)) == [{"eval_mIoU": 6 * 30}, []]
    assert [rank["dropped"] for rank in ranks] == [[{"eval_mIoU": 4 * 30}, []]] * 2
