"""Charge and spin of structures: what they change, where they come from, which are refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ase
import ase.io
import pytest
import torch
from ase.build import molecule

from mtt import load_model
from mtt.checkpoint import read
from mtt.data.open_dataset import read_dataset
from mtt.errors import ArchitectureError
from mtt.evaluation import predict
from mtt.options import load_eval_options
from mtt.testing import graph_of

STATES = ((0, 1), (1, 2), (-2, 3), (2, 1))
CONDITIONED = {
    "system_conditioning": True,
    "max_charge": 2,
    "max_spin_multiplicity": 3,
}
EXTRA = {"charge": {"key": "charge"}, "spin_multiplicity": {"key": "spin_multiplicity"}}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Options of four states of one molecule, in a file."""
    monkeypatch.chdir(tmp_path)
    frames = []
    for charge, spin in STATES:
        atoms = molecule("CH3CH2OH")
        atoms.info.update(energy=1.0 + charge**2, charge=charge, spin_multiplicity=spin)
        frames.append(atoms)
    ase.io.write("data.xyz", frames)
    systems = {"read_from": "data.xyz", "length_unit": "angstrom"}
    return {"systems": systems, "targets": {"energy": {"key": "energy", "unit": "eV"}}}


def energies(model: Any, options: dict[str, Any], **how: Any) -> list[float]:
    (one,) = load_eval_options([options])
    found = predict(model, read_dataset(one), batch_size=3, **how)
    return [float(value) for part in found for value in part.targets["energy"].values]


def given(model: Any, charge: float, spin: float) -> float:
    graph = graph_of(model, [molecule("CH3CH2OH")])
    charges, spins = (torch.tensor([x], dtype=torch.float64) for x in (charge, spin))
    found = model.predict_targets(graph._replace(charges=charges, spins=spins))
    return float(found["energy"].values)


def test_charge_and_spin_come_from_extra_data_and_are_else_0_and_1(
    data: dict[str, Any], metatrain_format: SimpleNamespace
) -> None:
    model = metatrain_format.model(**CONDITIONED)
    wanted = [given(model, *state) for state in STATES]
    assert len({round(value, 6) for value in wanted}) == len(STATES)
    assert energies(model, {**data, "extra_data": EXTRA}) == pytest.approx(wanted, abs=1e-10)
    assert energies(model, data) == pytest.approx(4 * wanted[:1], abs=1e-10)
    indifferent = metatrain_format.model()
    assert energies(indifferent, {**data, "extra_data": EXTRA}) == energies(indifferent, data)


def test_an_exported_model_asks_engines_for_them(
    data: dict[str, Any], metatrain_format: SimpleNamespace
) -> None:
    model = metatrain_format.model(**CONDITIONED)
    wanted = [given(model, *state) for state in STATES]
    exported = copy.deepcopy(model).export()
    assert sorted(exported.requested_inputs(use_new_names=True)) == ["charge", "spin_multiplicity"]
    assert not metatrain_format.model().requested_inputs()
    scripted = torch.jit.script(exported)
    found = energies(scripted, {**data, "extra_data": EXTRA}, check_consistency=True)
    assert found == pytest.approx(wanted, abs=1e-10)
    assert energies(scripted, data) == pytest.approx(4 * wanted[:1], abs=1e-10)


@pytest.mark.parametrize(
    ("charge", "spin", "message"),
    [
        (3, 1, r"charge 3\.0: the model takes whole numbers from -2 to 2; max_charge"),
        (0.5, 1, r"charge 0\.5: the model takes whole numbers"),
        (0, 0, r"spin_multiplicity 0\.0: .* from 1 to 3; max_spin_multiplicity"),
        (0, 4, r"spin_multiplicity 4\.0"),
    ],
)
def test_states_that_the_model_has_no_vector_for_are_refused(
    charge: float, spin: float, message: str, metatrain_format: SimpleNamespace
) -> None:
    with pytest.raises(ArchitectureError, match=message):
        given(metatrain_format.model(**CONDITIONED), charge, spin)


def test_a_model_learns_from_them(data: dict[str, Any], fit: Callable[..., Any]) -> None:
    tiny = dict.fromkeys(("d_pet", "d_node", "d_head", "d_feedforward"), 4)
    tiny |= {"cutoff": 3.0, "num_heads": 1, "num_attention_layers": 1, "num_gnn_layers": 1}
    options = {
        "seed": 0,
        "architecture": {
            "name": "pet",
            "model": {**tiny, **CONDITIONED},
            "training": {"num_epochs": 3, "batch_size": 4, "learning_rate": 0.03},
        },
        "training_set": {**data, "extra_data": EXTRA},
        "validation_set": {**data, "extra_data": EXTRA},
        "test_set": 0.0,
    }
    checkpoint = fit(options).path / "model.ckpt"
    # what is added to the features is zero at first
    added = read(checkpoint)["model_state_dict"]["conditioning.network.2.weight"]
    assert float(added.abs().max()) > 1e-3
    found = energies(load_model(checkpoint), {**data, "extra_data": EXTRA})
    assert len({round(value, 4) for value in found}) == len(STATES)
