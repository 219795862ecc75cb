"""Charges, spins and named numbers as inputs of density messages, from data to engines."""

from __future__ import annotations

import copy
import re
import shutil
from pathlib import Path
from typing import Any

import ase
import numpy as np
import pytest
import torch
from ase.build import molecule
from metatomic_ase import MetatomicCalculator, _calculator  # type: ignore[import-untyped]

import mtt
from mtt import Dataset, DatasetInfo, MLIPModel, TargetInfo, evaluate, registry
from mtt.data import Batching, Loader
from mtt.errors import ConfigError, DataError
from mtt.evaluation import predict
from mtt.exporting import export_model, load_exported
from mtt.nn import building

PAGE = Path(__file__).parents[2] / "docs" / "src" / "inputs.md"
TINY = {
    "cutoff": 3.0,
    "cutoff_width": 2.0,
    "num_channels": 3,
    "num_features": 6,
    "num_radial": 2,
    "max_angular": 1,
    "num_layers": 1,
}
ENERGY = {"energy": {"key": "energy", "unit": "eV", "forces": False, "stress": False}}
EXTRA = {
    "charge": {"key": "q"},
    "temperature": {"key": "T"},
    "site_charge": {"key": "site_charge", "sample_kind": "atom"},
}
INFO = DatasetInfo(
    "angstrom",
    (1, 8),
    {"energy": TargetInfo.energy()},
    {name: TargetInfo(sample_kind=one.get("sample_kind", "system")) for name, one in EXTRA.items()},
)


def label(atoms: ase.Atoms) -> float:
    """Linear in the inputs."""
    return (
        1.5 * atoms.info["q"]
        + 0.002 * atoms.info["T"]
        + 0.3 * float(atoms.arrays["site_charge"][0])
    )


def waters(charges: tuple[int, ...] = (-2, -1, 0, 1, 2)) -> list[ase.Atoms]:
    """Slightly displaced molecules with a charge, a temperature, and numbers of atoms."""
    generator, made = np.random.default_rng(0), []
    for i, (q, temperature) in enumerate((q, T) for q in charges for T in (300.0, 400.0, 600.0)):
        atoms = molecule("H2O")
        atoms.positions += generator.normal(0.0, 0.01, atoms.positions.shape)
        atoms.info |= {"q": q, "T": temperature}
        # under the names of the inputs too, by which ASE's calculator looks
        atoms.info |= {"charge": q, "temperature": temperature}
        atoms.arrays["site_charge"] = np.array([float(i % 2), 0.0, 1.0])
        atoms.info["energy"] = label(atoms)
        made.append(atoms)
    return made


def data(frames: list[ase.Atoms], **extra: Any) -> Dataset:
    return Dataset.from_atoms(frames, ENERGY, extra_data=extra or EXTRA)


def new_model(**hypers: Any) -> MLIPModel:
    architecture = registry.find("density_messages").load()
    with building(0, torch.float64):
        whole = {**architecture.default_hypers["model"], **TINY, **hypers}
        model: MLIPModel = architecture.model(whole, INFO)
    return model


@pytest.fixture(scope="module")
def learned() -> MLIPModel:
    """A model of energies that are linear in its inputs, fitted to :func:`waters`."""
    model, dataset = new_model(inputs=list(EXTRA)), data(waters())
    model.fit_baselines(dataset, {})
    how = {"cutoff": 3.0, "dtype": torch.float64, "batching": Batching(structures=len(dataset))}
    (batch,) = Loader(dataset, (1, 8), shuffle=False, **how).epoch()  # type: ignore[arg-type]
    optimizer = torch.optim.LBFGS(
        model.parameters(), max_iter=80, line_search_fn="strong_wolfe", tolerance_change=1e-12
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        found = model.predict_targets(batch.graph, create_graph=True)["energy"].values
        value = (found - batch.targets["energy"].values).square().mean()
        value.backward()
        return value

    optimizer.step(loss)  # type: ignore[arg-type]
    return model.eval()


def energies(model: Any, frames: list[ase.Atoms], **how: Any) -> list[float]:
    found = predict(model, data(frames), batch_size=4, **how)
    return [float(value) for batch in found for value in batch.targets["energy"].values]


@pytest.fixture(scope="module")
def exported(learned: MLIPModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "model.pt"
    export_model(learned, path, verify_on=data(waters()))
    return path


def test_energies_that_are_linear_in_the_inputs_are_learned(learned: MLIPModel) -> None:
    frames = waters()
    found = energies(learned, frames)
    assert found == pytest.approx([label(one) for one in frames], abs=0.02)
    # between the temperatures of the training set, too
    (between,) = waters((1,))[:1]
    between.info["T"] = 350.0
    assert energies(learned, [between]) == pytest.approx([label(between)], abs=0.05)


def test_the_exported_model_is_charged_and_heated_through_ase(
    learned: MLIPModel, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # up to 0.1.4 metatomic-ase reads the named inputs, and refuses them
    for table in ("PER_SYSTEM_QUANTITIES", "PER_ATOM_QUANTITIES"):
        monkeypatch.setattr(_calculator, table, dict(getattr(_calculator, table)))
    monkeypatch.chdir(tmp_path)
    shutil.copy(exported, "ions.pt")
    section = PAGE.read_text(encoding="utf-8").split("## In engines")[1]
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", section, re.DOTALL):
        exec(block, names)
    water = names["water"]
    water.arrays["site_charge"] = np.zeros(3)
    charged = water.get_potential_energy()
    water.info["charge"] = 0
    assert charged - water.get_potential_energy() == pytest.approx(1.5, abs=0.1)
    calculator = mtt.calculator(exported, check_consistency=True)
    assert isinstance(calculator, MetatomicCalculator)
    frames, found = waters()[::4], []
    for atoms in frames:
        engine = atoms.copy()
        engine.set_cell(100 * np.eye(3))
        engine.calc = calculator
        found.append(engine.get_potential_energy())
    assert found == pytest.approx(energies(learned, frames), abs=1e-9)
    assert max(found) - min(found) > 1
    del engine.info["charge"]
    engine.info["temperature"] += 1.0  # so that nothing is taken from the last calculation
    neutral = engine.get_potential_energy()
    engine.info["charge"] = 0
    assert engine.get_potential_energy() == neutral, "without a charge it is neutral"


def test_an_input_is_no_option_of_the_calculator(exported: Path) -> None:
    message = r"has no option 'charge'; inputs of the model are read from atoms.info"
    with pytest.raises(ConfigError, match=message):
        mtt.calculator(exported, charge=1)


def test_evaluation_reads_inputs_and_refuses_their_absence(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    frames = waters()[:4]
    ase.io.write("water.xyz", frames)
    options: dict[str, Any] = {
        "systems": {"read_from": "water.xyz", "length_unit": "angstrom"},
        "targets": {"energy": {"key": "energy", "unit": "eV", "forces": False, "stress": False}},
        "extra_data": EXTRA,
    }
    (one,) = evaluate(exported, options)
    assert one.report.errors["energy RMSE"] < 0.02
    for absent in EXTRA:
        kept = {name: item for name, item in EXTRA.items() if name != absent}
        said = rf"water\.xyz, frame 0: the model takes {absent} as an input.*write extra_data"
        with pytest.raises(DataError, match=said):
            evaluate(exported, {**options, "extra_data": kept})
    frames[2].info["q"] = 0.5
    ase.io.write("water.xyz", frames)
    with pytest.raises(DataError, match=r"water\.xyz, frame 2: charge is 0\.5"):
        evaluate(exported, options)
    frames[2].info |= {"q": 0, "T": float("nan")}
    ase.io.write("water.xyz", frames)
    with pytest.raises(DataError, match=r"water\.xyz, frame 2: temperature is missing"):
        evaluate(exported, options)


def test_without_inputs_the_model_is_what_it_was() -> None:
    plain, listed = new_model(), new_model(inputs=[])
    assert plain.hypers.get("inputs") is None
    assert list(plain.state_dict()) == list(listed.state_dict())
    assert not any("conditioning" in name for name in plain.state_dict())
    assert plain.requested_inputs() == {}
    frames = waters()
    assert energies(plain, frames) == energies(listed, frames)
    first, charged = energies(plain, [frames[0], waters((2,))[0]])
    assert first == charged, "the same positions"


def test_far_neutral_molecules_add_up_and_a_charge_is_that_of_the_whole(
    learned: MLIPModel,
) -> None:
    one, other = waters((0,))[:2]
    other.info["T"] = one.info["T"]
    both = one + other
    both.positions[3:] += 50.0
    both.info |= {**one.info}
    apart = energies(learned, [one, other, both])
    assert apart[2] == pytest.approx(apart[0] + apart[1], abs=1e-9)
    both.info["q"] = 1
    assert abs(energies(learned, [both])[0] - apart[2]) > 0.1


def test_what_is_prepared_holds_all_inputs(learned: MLIPModel) -> None:
    # torch.compile passes on what is prepared, and no inputs of the graph
    how = {"cutoff": 3.0, "dtype": torch.float64, "batching": Batching(structures=4)}
    batch = next(iter(Loader(data(waters()), (1, 8), shuffle=False, **how).epoch()))  # type: ignore[arg-type]
    graph = batch.graph
    bare = graph._replace(charges=None, spins=None, numbers=None)
    found = learned.predict_prepared(bare, learned.prepare(graph))["energy"]
    assert torch.equal(found, learned.predict(graph)["energy"])


def test_a_checkpoint_brings_inputs_and_their_scales_back(learned: MLIPModel) -> None:
    loaded = type(learned).load_checkpoint(learned.get_checkpoint(), "restart").eval()
    assert loaded.input_names == {"charge": False, "temperature": False, "site_charge": True}
    frames = waters()
    assert energies(loaded, frames) == energies(learned, frames)
    part = copy.deepcopy(learned.conditioning).parts[1]  # type: ignore[union-attr]
    assert float(part.mean) == pytest.approx(1300 / 3)


def test_the_exported_file_says_what_it_was_trained_on(exported: Path) -> None:
    extra = dict(load_exported(exported).metadata().extra)
    assert extra["input charge"] == "-inf to inf, in the training set"
