"""Files of predictions, as ASE reads them back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch

from mtt import DatasetInfo, MLIPModel, TargetInfo
from mtt.data import Dataset
from mtt.errors import ConfigError
from mtt.evaluation import Writer, output_paths, predict, targets_for


def write(path: Path, model: MLIPModel, dataset: Dataset) -> list[ase.Atoms]:
    with Writer(path, dataset, targets_for(model, dataset)) as writer:
        for prediction in predict(model, dataset, batch_size=2):
            writer.write(prediction)
    return ase.io.read(path, ":")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ase_reads_every_number_back_as_it_was(
    model: MLIPModel, dataset: Dataset, tmp_path: Path, dtype: torch.dtype
) -> None:
    model.to(dtype)
    frames = write(tmp_path / "out.xyz", model, dataset)
    (whole,) = predict(model, dataset, batch_size=10)
    target = whole.targets["energy"]
    forces = torch.split(target.forces.double(), dataset.n_atoms.tolist())
    assert len(frames) == len(dataset)
    for i, atoms in enumerate(frames):
        given = dataset.atoms(i)
        assert atoms.get_chemical_symbols() == given.get_chemical_symbols()
        assert np.array_equal(atoms.positions, given.positions)
        assert np.array_equal(atoms.cell, given.cell)
        assert np.array_equal(atoms.pbc, given.pbc)
        results = atoms.calc.results
        # batches sum in another order: the text is exact, the sums to rounding
        tolerance = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-12}
        np.testing.assert_allclose(results["energy"], target.values[i, 0], **tolerance)
        np.testing.assert_allclose(results["forces"], forces[i], atol=tolerance.get("atol", 1e-14))
        assert ("stress" in results) == bool(given.pbc.all())
        if given.pbc.all():
            strain = atoms.get_stress(voigt=False) * atoms.cell.volume
            expected = target.strain[i].double()
            np.testing.assert_allclose(strain, expected, atol=tolerance.get("atol", 1e-13))


def test_texts_are_exact(model: MLIPModel, dataset: Dataset, tmp_path: Path) -> None:
    one = dataset.select([1])
    with Writer(tmp_path / "out.xyz", one, one.info.targets) as writer:
        (prediction,) = predict(model, one)
        writer.write(prediction)
    atoms = ase.io.read(tmp_path / "out.xyz")
    target = prediction.targets["energy"]
    assert atoms.calc.results["energy"] == target.values.item()
    assert np.array_equal(atoms.calc.results["forces"], target.forces.numpy())
    stress = target.strain[0].numpy() / one.atoms(0).cell.volume
    assert np.array_equal(atoms.get_stress(voigt=False), stress)


def test_names_that_the_format_does_not_take_are_made_readable(
    make_model: Callable[[DatasetInfo], MLIPModel],
    make_dataset: Callable[..., Dataset],
    tmp_path: Path,
) -> None:
    dataset = make_dataset(
        {
            "energy": TargetInfo.energy(forces=True),
            "energy/pbe": TargetInfo(
                "energy", "eV", gradients=("positions", "strain"), strain_name="virial"
            ),
            "mtt::q": TargetInfo("charge", "e", sample_kind="atom", properties=2),
            "mtt/q": TargetInfo("charge", "e", sample_kind="atom", properties=2),
            "species": TargetInfo("", "", sample_kind="atom", properties=2),
        }
    )
    model = make_model(dataset.info)
    frames = write(tmp_path / "out.xyz", model, dataset)
    (whole,) = predict(model, dataset, batch_size=10)
    periodic = frames[1]
    assert set(periodic.info) == {"energy_pbe", "energy_pbe_stress", "energy_pbe_virial"}
    assert set(periodic.arrays) == {
        *("numbers", "positions", "energy_pbe_forces"),
        *("mtt_q", "mtt_q_2", "species_2"),
    }
    charges = torch.split(whole.targets["mtt::q"].values, dataset.n_atoms.tolist())[1]
    np.testing.assert_allclose(periodic.arrays["mtt_q"], charges, rtol=1e-13)
    strain = whole.targets["energy/pbe"].strain[1].flatten()
    np.testing.assert_allclose(periodic.info["energy_pbe_virial"], -strain, rtol=1e-9, atol=1e-12)


def test_the_file_is_where_it_was_asked_for(
    model: MLIPModel, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    write(Path("folder/out.xyz"), model, dataset)
    assert [p.name for p in tmp_path.rglob("*.xyz")] == ["out.xyz"]
    assert Path("folder/out.xyz").exists()


def test_several_data_sets_are_numbered() -> None:
    assert output_paths("a/out.xyz", 1) == [Path("a/out.xyz")]
    assert output_paths("a/out.xyz", 2) == [Path("a/out_0.xyz"), Path("a/out_1.xyz")]


def test_a_failure_leaves_an_existing_file(dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "out.xyz"
    path.write_text("precious")
    with (
        pytest.raises(RuntimeError, match="halfway"),
        Writer(path, dataset, dataset.info.targets),
    ):
        raise RuntimeError("halfway")
    assert [p.name for p in tmp_path.iterdir()] == ["out.xyz"]
    assert path.read_text() == "precious"


def test_a_missing_folder_is_found_before_predicting(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be written: .*; there is no folder .*nowhere"):
        Writer(tmp_path / "nowhere" / "out.xyz", dataset, dataset.info.targets)


def test_a_file_in_place_of_the_folder_is_found_before_predicting(
    dataset: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written: Not a directory"):
        Writer(tmp_path / "file" / "out.xyz", dataset, dataset.info.targets)


@pytest.mark.parametrize("path", ["out.zip", "out/"])
def test_other_formats_are_not_available(path: str) -> None:
    with pytest.raises(ConfigError, match=r"not available yet; write to an \.xyz or \.mts"):
        output_paths(path, 1)


@pytest.mark.parametrize("path", ["out", "out.txt"])
def test_unknown_formats_are_refused(path: str) -> None:
    with pytest.raises(ConfigError, match=r"written as \.xyz, \.extxyz, \.mts"):
        output_paths(path, 1)


def test_references_are_beside_predictions_as_the_data_have_them(
    model: MLIPModel, dataset: Dataset, tmp_path: Path
) -> None:
    dataset.columns.rows["values:energy"][0] = torch.nan
    label = dataset.target("energy")
    forces = torch.split(label.forces, dataset.n_atoms.tolist())
    model.to(torch.float32)
    path = tmp_path / "out.xyz"
    with Writer(path, dataset, targets_for(model, dataset), references=True) as writer:
        for prediction in predict(model, dataset, batch_size=2):
            writer.write(prediction)
    for i, atoms in enumerate(ase.io.read(path, ":")):
        assert ("REF_energy" in atoms.info) == (i != 0), "left out where there is no label"
        if i:
            assert atoms.info["REF_energy"] == float(label.values[i, 0])
        assert np.array_equal(atoms.arrays["REF_forces"], forces[i].numpy())
        assert ("REF_stress" in atoms.info) == bool(atoms.pbc.all())
        assert "forces" in atoms.calc.results
    plain = tmp_path / "plain.xyz"
    write(plain, model, dataset)
    assert "REF_" not in plain.read_text()
