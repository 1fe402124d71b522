"""The generalized Dice score, held to fractions and to what it must be where a class is absent."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segiou import Dice, GeneralizedDice, Imagewise, functional
from tests.helpers import oracle_segmentation as oracle

C = 4
WEIGHTS = ["square", "simple", "linear"]
labels = st.lists(st.integers(0, C - 1), min_size=6, max_size=6)


def expected(preds: list[int], target: list[int], classes: list[int], weight_type: str) -> float:
    found = oracle.areas(preds, target, classes)
    return float(oracle.generalized(found, weight_type)) if any(p + t for _, p, t in found) else float("nan")


@given(preds=labels, target=labels, weight_type=st.sampled_from(WEIGHTS), exclude=st.sampled_from([None, (0,), (1, 3)]))
def test_any_labels_score_as_fractions_say(preds, target, weight_type, exclude):
    classes = [c for c in range(C) if c not in (exclude or ())]
    metric = GeneralizedDice(C, weight_type=weight_type, exclude=exclude)
    pair = torch.tensor([preds]), torch.tensor([target])
    value = torch.tensor(expected(preds, target, classes, weight_type))
    torch.testing.assert_close(metric(*pair), value, rtol=0, atol=1e-6, equal_nan=True)
    mean = Imagewise(GeneralizedDice(C, weight_type=weight_type, exclude=exclude))
    torch.testing.assert_close(mean(*pair), value, rtol=0, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("weight_type", WEIGHTS)
def test_a_false_alarm_of_an_absent_class_counts_and_nothing_is_nan(weight_type):
    right, alarm = torch.tensor([[0, 0, 0, 0]]), torch.tensor([[0, 0, 1, 1]])
    foreground = GeneralizedDice(2, weight_type=weight_type, exclude=0)
    assert foreground(right, right).isnan()
    assert foreground(alarm, right) == 0
    assert GeneralizedDice(2, weight_type=weight_type, exclude=0, absent=1.0)(right, right) == 1
    assert GeneralizedDice(2, weight_type=weight_type)(alarm, right) == pytest.approx(0.5)


def test_tasks():
    preds, target = torch.tensor([[0, 1, 1, 0, 1]]), torch.tensor([[0, 1, 0, 0, 0]])
    both = GeneralizedDice(2)(preds, target)
    assert GeneralizedDice(task="binary")(preds, target) == both
    assert GeneralizedDice(task="binary", exclude=0)(preds, target) == Dice(task="binary")(preds, target)
    several = torch.stack([preds, 1 - preds], 1), torch.stack([target, 1 - target], 1)
    assert GeneralizedDice(task="multilabel", num_labels=2)(*several) == both  # the same two areas
    groups = {"a": [0, 1], "b": [2, 3]}
    wide = preds * 2 + 1, target * 2
    assert GeneralizedDice(4, groups=groups)(*wide) == both


def test_small_classes_weigh_as_much_as_large_ones():
    target = torch.zeros(1, 1000, dtype=torch.int64)
    target[0, :10] = 1
    preds = torch.zeros_like(target)
    value = float(GeneralizedDice(2)(preds, target))
    weights = Fraction(1, 990**2), Fraction(1, 10**2)
    assert value == pytest.approx(float(2 * weights[0] * 990 / (weights[0] * 1990 + weights[1] * 10)))
    assert value < 0.02 < 0.9 < float(GeneralizedDice(2, weight_type="linear")(preds, target))


def test_arguments_and_the_function():
    pair = torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]])
    metric = GeneralizedDice(2, weight_type="simple")
    assert functional.generalized_dice(*pair, 2, weight_type="simple") == metric(*pair)
    assert repr(metric) == "GeneralizedDice(num_classes=2, weight_type='simple')"
    with pytest.raises(ValueError, match='^weight_type must be "square", "simple" or "linear", got 2$'):
        GeneralizedDice(2, weight_type=2)
    with pytest.raises(ValueError, match="average does not apply to GeneralizedDice"):
        GeneralizedDice(2, average="macro")
    assert metric.table().to_dict() is not None
