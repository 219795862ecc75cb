"""Kinds that another package adds: trained, scored, exported, written, and checked for symmetry."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase
import ase.io
import pytest
import torch
import yaml
from metatomic.torch import ModelEvaluationOptions, ModelOutput, load_atomistic_model

import mtt
from mtt import Dataset, TargetInfo
from mtt.checkpoint import read
from mtt.data import read_dataset
from mtt.errors import ArchitectureError, ConfigError, DataError, MttError
from mtt.evaluation import names
from mtt.exporting import probe
from mtt.exporting.structures import structure
from mtt.options import load_eval_options
from mtt.registry import find
from mtt.testing import Subject
from mtt.testing.checks.symmetry import check_inversion, check_permutation, check_rotation
from mtt.testing.measure import judge

MULTIPOLE = 'multipole {"l": [0, 1]}'
DIPOLE, MOMENTS = "mtt::dipole", "mtt::moments"


@pytest.fixture(scope="module")
def run(options: dict[str, Any], folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a training is over: scored, exported, verified in a fresh process."""
    place = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        mtt.train(options, architectures=[folder])
    return place


@pytest.fixture(scope="module")
def model(run: Path, folder: Path) -> mtt.MLIPModel:
    return mtt.load_model(run / "model.ckpt", architectures=[folder])


@pytest.fixture(scope="module")
def dataset(molecules: list[ase.Atoms], targets: dict[str, Any]) -> Dataset:
    return Dataset.from_atoms(molecules, targets)


# ---- training, export and evaluation


def test_a_training_learns_them_and_stores_their_kinds_as_text(run: Path) -> None:
    stored = read(run / "model.ckpt")["dataset_info"]["targets"]
    assert [stored[name]["kind"] for name in stored] == ["scalar", "polar", MULTIPOLE]
    (history,) = run.glob("outputs/*/*/history.jsonl")
    (epoch,) = (json.loads(line) for line in history.read_text().splitlines())
    for name in (f"{DIPOLE} RMSE", f"{DIPOLE} x RMSE", f"{MOMENTS} l=1 MaxAE", f"{MOMENTS} C RMSE"):
        assert 0 < epoch[f"validation {name}"] < 1e3, name
    text = yaml.safe_load(next(run.glob("outputs/*/*/options_restart.yaml")).read_text())
    assert text["training_set"][0]["targets"][MOMENTS]["type"] == {"multipole": {"l": [0, 1]}}
    lines = next(run.glob("outputs/*/*/train.log")).read_text().splitlines()
    (line,) = (line for line in lines if "epoch 1/1" in line)
    assert f"{DIPOLE} 0." in line
    assert f"{DIPOLE} x" not in line  # there is no room for parts


def test_baselines_hold_no_number_for_what_turns(model: mtt.MLIPModel) -> None:
    table = model.composition.values[:, model.ends[0] :].reshape(3, -1)
    dipole, moments = table[:, :3], table[:, 3:].reshape(3, 4, 2)
    assert not dipole.any()
    assert not moments[:, 1:].any()
    assert bool((moments[:, 0] != 0).all())  # charges of the elements


def test_the_exported_model_has_their_blocks(
    run: Path, model: mtt.MLIPModel, molecules: list[ase.Atoms]
) -> None:
    exported = load_atomistic_model(str(run / "model.pt"))
    lists = exported.requested_neighbor_lists()
    content = [structure(atoms, lists) for atoms in molecules[:2]]
    unit = torch.eye(3, dtype=torch.float64)
    systems = [probe.system(one, one["positions"], unit, lists) for one in content]
    outputs = {
        DIPOLE: ModelOutput(unit="D", sample_kind="system"),
        MOMENTS: ModelOutput(sample_kind="atom"),
    }
    asked = ModelEvaluationOptions(length_unit="angstrom", outputs=outputs)
    found = exported(systems, asked, check_consistency=True)
    predicted = mtt.testing.predictions(model, molecules[:2])
    (dipole,) = found[DIPOLE].blocks()
    assert [axis.names for axis in dipole.components] == [["xyz"]]
    assert dipole.properties.names == ["dipole"]
    wanted = torch.cat([one[DIPOLE].values for one in predicted])
    torch.testing.assert_close(dipole.values, wanted)
    moments = found[MOMENTS]
    assert moments.keys.values.tolist() == [[0, 1], [1, 1]]
    assert moments.block(1).components[0].values[:, 0].tolist() == [-1, 0, 1]
    rows = torch.cat([block.values for block in moments.blocks()], dim=1)
    torch.testing.assert_close(rows, torch.cat([one[MOMENTS].values for one in predicted]))


@pytest.mark.parametrize("name", ["model.ckpt", "model.pt"])
def test_predictions_are_scored_and_written_so_that_they_are_read_back(
    run: Path, name: str, file: Path, targets: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    asked = {"systems": {"read_from": str(file), "length_unit": "angstrom"}, "targets": targets}
    output = tmp_path / "out.xyz"
    (found,) = mtt.evaluate(
        run / name, asked, output=output, batch_size=5, extended=True, architectures=[folder]
    )
    errors = found.report.errors
    model = mtt.load_model(run / "model.ckpt", architectures=[folder])
    (options,) = load_eval_options(asked)
    data = read_dataset(options)
    predicted = mtt.testing.predictions(model, [data.atoms(i) for i in range(len(data))])
    for target in (DIPOLE, MOMENTS):
        values = torch.cat([one[target].values for one in predicted])
        off = (values - data.target(target).values).square()
        assert errors[f"{target} RMSE"] == pytest.approx(float(off.mean().sqrt()), rel=1e-9)
    parts = [errors[f"{DIPOLE} {axis} RMSE"] ** 2 for axis in "xyz"]
    norms = torch.stack([torch.cat([one[DIPOLE].values for one in predicted]),
                         data.target(DIPOLE).values]).norm(dim=2)  # fmt: skip
    off = (norms[0] - norms[1]).abs()
    assert errors[f"{DIPOLE} norm MAE"] == pytest.approx(float(off.mean()), rel=1e-9)
    assert errors[f"{DIPOLE} norm MaxAE"] == pytest.approx(float(off.max()), rel=1e-9)
    assert sum(parts) / 3 == pytest.approx(errors[f"{DIPOLE} RMSE"] ** 2, rel=1e-9)
    written = {DIPOLE: {"key": "mtt_dipole"}, MOMENTS: {"key": "mtt_moments"}}
    again = {"systems": str(output), "targets": {n: {**targets[n], **written[n]} for n in written}}
    (options,) = load_eval_options(again)
    read_back = read_dataset(options)
    for target in written:
        values = torch.cat([one[target].values for one in predicted])
        torch.testing.assert_close(read_back.target(target).values, values, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["model.ckpt", "model.pt"])
def test_labels_of_another_kind_are_refused(
    run: Path, name: str, file: Path, targets: dict[str, Any], folder: Path
) -> None:
    wrong = {
        DIPOLE: {**targets[DIPOLE], "type": "scalar", "num_subtargets": 3},
        "energy": {"unit": "eV", "forces": False},
    }
    asked = {"systems": {"read_from": str(file), "length_unit": "angstrom"}, "targets": wrong}
    message = f"{DIPOLE}: the type is 'scalar' in the data and 'polar' in the model; give it the"
    with pytest.raises(DataError, match=message):
        mtt.evaluate(run / name, asked, architectures=[folder])


def test_extended_errors_are_named_after_parts(dataset: Dataset) -> None:
    plain, extended = names(dataset.info), names(dataset.info, extended=True)
    assert f"{DIPOLE} RMSE" in plain
    assert not [name for name in plain if "x RMSE" in name]
    of_parts = [f"{DIPOLE} {axis} RMSE" for axis in "xyz"]
    assert {*of_parts, f"{MOMENTS} l=0 RMSE", f"{MOMENTS} l=1 MAE"} <= set(extended)


def test_a_run_is_restarted_and_fine_tuned(
    run: Path, options: dict[str, Any], folder: Path, fit: Callable[..., Any],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    longer = copy.deepcopy(options)
    longer["architecture"]["training"]["num_epochs"] = 2
    (before,) = run.glob("outputs/*/*/checkpoints/last.ckpt")
    restarted = fit(longer, restart=before, architectures=[folder])
    assert (restarted.path / "history.jsonl").read_text().count("\n") == 2
    tuned = copy.deepcopy(options)
    finetune = {"read_from": str(run / "model.ckpt"), "method": "full", "baseline": "refit"}
    tuned["architecture"]["training"]["finetune"] = finetune
    found = read(fit(tuned, architectures=[folder]).path / "checkpoints" / "best.ckpt")
    table = found["best_model_state_dict"]["composition.values"]
    assert not table[:, 1:4].any()
    assert not table[:, 6:].any()


# ---- promises of architectures


@pytest.fixture
def subject(folder: Path, dataset: Dataset) -> Subject:
    return Subject(folder, dataset_info=dataset.info)


def test_the_checks_of_symmetry_know_how_they_turn(subject: Subject) -> None:
    for check in (check_rotation, check_inversion, check_permutation):
        found = judge(check(subject), to_the_end=False)
        assert any(MOMENTS in finding.what for finding in found)


def test_a_model_whose_vectors_do_not_turn_is_found_out(subject: Subject) -> None:
    owner = type(subject.model())

    class Pseudo(owner):  # type: ignore[misc, valid-type]
        def predict(self, graph):
            values = super().predict(graph)
            return {**values, DIPOLE: values[DIPOLE].abs()}

    model = Pseudo(subject.model_hypers, subject.info).double().eval()
    subject._models[torch.float64] = model
    with pytest.raises(MttError, match=f"{DIPOLE}, rotated"):
        judge(check_rotation(subject), to_the_end=False)


def test_models_are_asked_for_no_kind_that_they_do_not_name(folder: Path, dataset: Dataset) -> None:
    architecture = find("multipoles", [folder]).load()
    hypers = {"cutoff": 3.5}
    for info, message in (
        (TargetInfo(kind=MULTIPOLE, sample_kind="system"), r"\(multipole\)"),
        (TargetInfo(kind=MULTIPOLE), "multipole cannot be added up over atoms"),
        (TargetInfo(kind="scalar", sample_kind="atom"), r"\(scalar per atom\)"),
    ):
        with pytest.raises(ArchitectureError, match=message):
            architecture.model(hypers, dataset.info.with_targets({"mtt::x": info}))


def test_a_model_that_returns_other_components_is_refused(subject: Subject) -> None:
    owner = type(subject.model())

    class Flat(owner):  # type: ignore[misc, valid-type]
        def predict(self, graph):
            values = super().predict(graph)
            return {**values, DIPOLE: values[DIPOLE][:, :, 0]}

    subject._models[torch.float64] = Flat(subject.model_hypers, subject.info).double().eval()
    message = rf"predict returns \[3\] numbers of '{DIPOLE}' for each atom, not \[3, 1\]"
    with pytest.raises(ArchitectureError, match=message):
        subject.predict([ase.Atoms("CO", [[0, 0, 0], [0, 0, 1.1]])])


def test_an_atomic_baseline_of_a_vector_is_refused(
    options: dict[str, Any], folder: Path, fit: Callable[..., Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    wrong = copy.deepcopy(options)
    wrong["architecture"]["training"]["atomic_baseline"] = {DIPOLE: {"C": 0.1}}
    message = "mtt::dipole is a polar, which turns with the structure"
    with pytest.raises(ConfigError, match=message):
        fit(wrong, architectures=[folder])
