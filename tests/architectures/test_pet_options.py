"""The options of pet: its size, what is refused, and a file that metatrain's users have."""

import copy
import json
from pathlib import Path

import ase.io
import pytest

from mtt import DatasetInfo, TargetInfo, train
from mtt.checkpoint import read
from mtt.errors import ArchitectureError
from mtt.options.schema.validate import validate
from mtt.registry import find

ARCHITECTURE = find("pet").load()
INFO = DatasetInfo("angstrom", (1, 6, 8), {"energy": TargetInfo.energy(forces=True)})
DATA = Path(__file__).parents[2] / "examples" / "data" / "ethanol.xyz"


def make(changes):
    defaults = copy.deepcopy(ARCHITECTURE.default_hypers["model"])
    return ARCHITECTURE.model({**defaults, **changes}, INFO)


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        (("num_neighbors_adaptive",), 0, "must be above 0, got 0"),
        (("formulation",), "torch", "expected one of"),
        (("long_range", "enable"), True, "not available yet: long-range interactions"),
        (("cutoff_function",), "bump", "expected one of"),
    ],
)
def test_the_schema_names_what_is_wrong(key, value, what):
    merged = copy.deepcopy(ARCHITECTURE.default_hypers)
    place = merged["model"]
    for name in key[:-1]:
        place = place[name]
    place[key[-1]] = value
    (fault,) = validate(merged, ARCHITECTURE.schema)
    assert tuple(fault.path) == ("model", *key)
    assert fault.what.startswith(what)


def test_there_are_as_many_parameters_as_in_metatrains_pet():
    small = {"cutoff": 5.0, "d_pet": 32, "d_node": 64, "d_head": 32, "d_feedforward": 64}
    small |= {"num_heads": 4, "num_attention_layers": 1}
    defaults = ARCHITECTURE.default_hypers["model"]
    for hypers, number in ((defaults, 2_902_786), ({**defaults, **small}, 105_538)):
        model = ARCHITECTURE.model(copy.deepcopy(hypers), INFO)
        assert sum(parameter.numel() for parameter in model.parameters()) == number


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"long_range": {"enable": True}}, "long_range.enable: long-range .* not available"),
        ({"num_heads": 3}, "d_pet: must be a multiple of num_heads \\(3\\), got 8"),
    ],
)
def test_what_is_not_available_is_refused(changes, message):
    with pytest.raises(ArchitectureError, match=message):
        make({"d_pet": 8, **changes})


@pytest.mark.parametrize("width", [0.0, 3.1])
def test_a_width_beyond_the_cutoff_is_refused(width):
    with pytest.raises(ArchitectureError, match="cutoff_width: must be above 0 and at most"):
        make({"cutoff": 3.0, "cutoff_width": width})


METATRAIN = """
device: cpu
base_precision: 32
seed: 1
architecture:
  name: pet
  model:
    cutoff: 3.0
    num_neighbors_adaptive: null
    d_pet: 8
    d_head: 8
    d_node: 8
    d_feedforward: 8
    num_heads: 2
    num_attention_layers: 1
    long_range: {enable: false, use_ewald: false}
    system_conditioning: false
  training:
    batch_size: 4
    num_epochs: 6
    learning_rate: 1e-2
    warmup_fraction: 0.1
    best_model_metric: mae_prod
    grad_clip_norm: 1.0
    loss:
      energy: {type: mse, weight: 1.0, gradients: {positions: {type: mse, weight: 1.0}}}
training_set:
  systems: {read_from: ethanol.xyz, length_unit: angstrom}
  targets:
    energy: {key: energy, unit: eV, forces: {key: forces}}
validation_set: 0.2
test_set: 0.0
"""


def test_an_options_file_of_metatrain_trains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ase.io.write("ethanol.xyz", ase.io.read(DATA, ":20"))
    Path("options.yaml").write_text(METATRAIN)
    folder = train("options.yaml").directory
    lines = (folder / "history.jsonl").read_text().splitlines()
    history = [json.loads(line) for line in lines]
    first, last = history[0], history[-1]
    assert len(history) == 6
    assert last["training loss"] < 0.5 * first["training loss"]
    assert last["validation loss"] < first["validation loss"]
    products = [e["validation energy MAE"] * e["validation forces MAE"] for e in history]
    assert read(folder / "model.ckpt")["best_epoch"] == 1 + products.index(min(products))
    assert "augmentation: o3" in (folder / "options_restart.yaml").read_text()
