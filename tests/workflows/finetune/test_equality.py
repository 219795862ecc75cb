"""The comparison with the source, before a fine-tuning begins."""

from __future__ import annotations

import copy

import ase.build
import pytest
import torch

from mtt import Dataset, DatasetInfo, TargetInfo
from mtt.architectures.soap_bpnn import __model__ as SoapBPNN
from mtt.errors import TrainingError
from mtt.mlip.finetune.fine_tune import fine_tune
from mtt.options.training import parse
from mtt.options.yaml.overrides import deep_merge
from mtt.registry import find
from mtt.workflows.finetune.equality import compare_at_step_zero

HYPERS = {"soap": {"max_angular": 1, "max_radial": 1}, "bpnn": {"num_neurons_per_layer": 3}}
INFO = DatasetInfo("angstrom", (1, 6), {"energy": TargetInfo.energy()})
TRAINING = parse({"finetune": {"read_from": "x", "method": "full"}})


class Careless(SoapBPNN):
    """Mixes up what was known when elements come."""

    def extend_elements(self, name, known, places):
        wrong = 1.01 if name == "first.linear.weight" else 1.0
        return super().extend_elements(name, wrong * known, places)


class Forgetful(SoapBPNN):
    """Draws something that decides predictions and stands in no weight."""

    def __init__(self, hypers, dataset_info):
        super().__init__(hypers, dataset_info)
        self.factor = 1.0 + float(torch.rand(()))

    def predict(self, graph):
        return {name: self.factor * value for name, value in super().predict(graph).items()}


def molecules(*names):
    frames = []
    for i, name in enumerate(names):
        atoms = ase.build.molecule(name)
        atoms.rattle(0.05, seed=i)
        atoms.info["U"] = -3.0 * len(atoms)
        frames.append(atoms)
    return Dataset.from_atoms(frames, {"energy": {"key": "U", "unit": "eV"}})


def compared(kind, data, dtype=torch.float64, training=TRAINING):
    hypers = deep_merge(find("soap_bpnn").load().default_hypers["model"], HYPERS)
    torch.manual_seed(0)
    source = kind(hypers, INFO).to(dtype)
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    before = copy.deepcopy(source.state_dict())
    made = fine_tune(source, hypers, data.info, data, training)
    found = compare_at_step_zero(source, made.aligned, made.counterparts, [data], made.notes)
    assert all(torch.equal(source.state_dict()[name], value) for name, value in before.items())
    return found


def test_the_same_model_predicts_the_same_to_the_last_bit():
    found = compared(SoapBPNN, molecules("CH4", "C2H2"))
    assert found["structures"] == 2
    assert set(found["differences"].values()) == {0.0}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_structures_with_new_elements_do_not_count(dtype):
    found = compared(SoapBPNN, molecules("CH4", "CH3OH", "H2O", "C2H2"), dtype)
    assert found["structures"] == 2
    assert found["explained"] == [
        "weights for O are new",
        "the baselines of O are fitted to the training set",
    ]


def test_at_most_eight_structures_are_compared():
    assert compared(SoapBPNN, molecules(*["CH4"] * 20))["structures"] == 8


def test_new_baselines_are_an_explanation(caplog):
    given = TRAINING.having(atomic_baseline={"energy": 5.0})
    found = compared(SoapBPNN, molecules("CH4"), training=given)
    assert set(found["differences"].values()) == {0.0}
    assert found["explained"] == ["the baseline of energy is that of the options"]


def test_without_a_common_element_there_is_nothing_to_compare(caplog):
    with caplog.at_level("INFO"):
        found = compared(SoapBPNN, molecules("O2"))
    assert (found["structures"], found["differences"]) == (0, {})
    assert "no structure of the training set with known elements only" in caplog.text


@pytest.mark.parametrize(
    ("kind", "names"), [(Careless, ["CH4", "H2O"]), (Forgetful, ["CH4", "C2H2"])]
)
def test_an_unexplained_difference_stops_the_run(kind, names):
    with pytest.raises(TrainingError) as caught:
        compared(kind, molecules(*names))
    text = str(caught.value)
    assert "step 0: energy of the fine-tuned model and of its source differ by" in text
    assert "step 0: forces of energy" in text
