"""Checkpoints hold states by name: the names of every configuration are what they have always been."""

import json
import warnings
from pathlib import Path

import pytest
import torch

import segiou

# Calls, and the names of the states that they made before the arguments were named in signatures.
NAMES = json.loads((Path(__file__).parent / "data" / "state_names.json").read_text())


def build(call: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(call, {name: getattr(segiou, name) for name in segiou.__all__})


@pytest.mark.parametrize("call", NAMES)
def test_states_have_the_names_that_checkpoints_hold(call):
    metric = build(call)
    assert sorted(metric._defaults) == NAMES[call]
    metric.persistent(True)
    saved = {name: value.clone() if torch.is_tensor(value) else value for name, value in metric.state_dict().items()}
    again = build(call)
    again.persistent(True)
    again.load_state_dict(saved)


def test_another_configuration_has_another_name():
    """The list would hold nothing if all names were the same."""
    per_image = {tuple(names) for call, names in NAMES.items() if call.startswith("ConfidenceInterval(MeanIoU")}
    assert len(per_image) > 15
