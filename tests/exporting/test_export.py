"""Exported files are the models that they were made from, or are not there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase
import pytest
import torch
from metatomic.torch import ModelEvaluationOptions, ModelMetadata, ModelOutput, System

from mtt import DatasetInfo, MLIPModel
from mtt.data import Dataset
from mtt.errors import ArchitectureError, CheckpointError
from mtt.exporting import export_model, load_exported
from mtt.exporting.probe import evaluate
from mtt.exporting.structures import structure
from mtt.registry import find

Make = Callable[..., MLIPModel]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_an_exported_model_is_verified_and_takes_its_name(
    make_model: Make, dtype: torch.dtype, tmp_path: Path
) -> None:
    model = make_model(dtype=dtype)
    before = copy.deepcopy(model.state_dict())
    path = export_model(model, tmp_path / "model.pt", ModelMetadata(authors=["B. Author"]))
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]
    loaded = load_exported(path)
    assert loaded.capabilities().dtype == "float64"
    assert list(loaded.metadata().authors) == ["A. Author", "B. Author"]
    assert all(p.requires_grad for p in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_frames_of_a_data_set_serve_as_trial_structures(
    model: MLIPModel, dataset: Dataset, tmp_path: Path
) -> None:
    export_model(model, tmp_path / "model.pt", verify_on=dataset)
    assert (tmp_path / "model.pt").exists()


def test_a_structure_without_atoms_has_the_energy_zero(model: MLIPModel, tmp_path: Path) -> None:
    """Also where its network could not: every batch has a row for every structure."""
    loaded = load_exported(export_model(model, tmp_path / "model.pt"))
    lists = loaded.requested_neighbor_lists()
    molecule = ase.Atoms("CO", [[0, 0, 0], [0, 0, 1.1]])
    for frames in ([ase.Atoms()], [ase.Atoms(), molecule], [molecule, ase.Atoms(cell=[3, 3, 3])]):
        given = [structure(atoms, lists) for atoms in frames]
        outputs = {"energy": ModelOutput(unit="", sample_kind="system")}
        options = ModelEvaluationOptions(length_unit="angstrom", outputs=outputs)

        def call(systems: list[System], _: object, options: object = options) -> Any:
            return loaded(systems, options, check_consistency=True)

        found = evaluate(call, given, lists, outputs, ["energy"], torch.float64)
        values = found["energy.values"]
        assert [bool(value == 0.0) for value in values] == [not len(atoms) for atoms in frames]
        assert found["energy.forces"].shape == (sum(map(len, frames)), 3)


def test_a_float32_interface_is_declared(model: MLIPModel, tmp_path: Path) -> None:
    path = export_model(model, tmp_path / "model.pt", dtype=torch.float32)
    assert load_exported(path).capabilities().dtype == "float32"


def test_a_model_that_defines_forward_is_verified_by_it(
    info: DatasetInfo, dataset: Dataset, root: Path, tmp_path: Path
) -> None:
    found = find("radial_sum", extra_dirs=[root / "tests" / "resources" / "architectures"])
    torch.manual_seed(0)
    model = found.load().model({"cutoff": 4.0, "num_gaussians": 5}, info).to(torch.float64)
    export_model(model, tmp_path / "model.pt", verify_on=dataset)
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]


@pytest.mark.parametrize(
    ("name", "quantity", "dtype"),
    [("OtherForces", "forces", torch.float64), ("OtherEnergies", "values", torch.float32)],
)
def test_a_file_that_predicts_something_else_is_refused(
    make_model: Make, name: str, quantity: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    (tmp_path / "model.pt").write_bytes(b"precious")
    number = r"-?[\d.]+(e-\d+)?"
    both = f"where it is {number} instead of {number}"
    wanted = rf"is not the model: energy\.{quantity} differs by .*, {both}"
    with pytest.raises(ArchitectureError, match=wanted):
        export_model(make_model(name, dtype), tmp_path / "model.pt")
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]
    assert (tmp_path / "model.pt").read_bytes() == b"precious"


def test_what_torchscript_cannot_compile_is_refused(make_model: Make, tmp_path: Path) -> None:
    with pytest.raises(ArchitectureError, match="NotCompilable cannot be exported") as refused:
        export_model(make_model("NotCompilable"), tmp_path / "model.pt")
    assert not list(tmp_path.iterdir())
    (problem,) = refused.value.problems
    assert problem.where == line_of("key=lambda vectors")
    file, number = problem.where.rsplit(":", 1)
    # the text of torch as it is, with the line of code that it points at
    assert f'Lambda aren\'t supported:\n  File "{file}", line {number}\n' in problem.what
    assert "lambda vectors: len(vectors))[0]\n" in problem.what
    assert "<--- HERE" in problem.what
    assert "'NotCompilable._atomic_values' is being compiled since" in problem.what


def line_of(text: str) -> str:
    """``file:line`` of the models of these tests."""
    path = Path(__file__).with_name("conftest.py")
    lines = path.read_text(encoding="utf-8").splitlines()
    return f"{path}:{next(i for i, line in enumerate(lines, start=1) if text in line)}"


def test_an_export_that_fails_names_its_line_and_what_to_write(
    make_model: Make, tmp_path: Path
) -> None:
    with pytest.raises(ArchitectureError, match="'__len__' is not implemented") as refused:
        export_model(make_model("AsksMetadata"), tmp_path / "model.pt")
    (problem,) = refused.value.problems
    assert problem.where == line_of("metadata or self.metadata")
    assert "write `if metadata is None`" in problem.hint


@pytest.mark.fresh_process
def test_a_model_that_runs_in_this_process_alone_is_refused(
    make_model: Make, tmp_path: Path
) -> None:
    library = torch.library.Library("mtt_tests", "DEF")
    library.define("same(Tensor x) -> Tensor")
    library.impl("same", lambda x: x * 1.0, "CompositeImplicitAutograd")
    with pytest.raises(ArchitectureError, match="does not run in a fresh process") as refused:
        export_model(make_model("NeedsItsLibrary"), tmp_path / "model.pt")
    assert "Unknown builtin op: mtt_tests::same" in str(refused.value)
    assert "torch.ops.mtt_tests.same" in str(refused.value) or "ops.mtt_tests.same" in str(
        refused.value
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_are_refused(
    model: MLIPModel, value: float, tmp_path: Path
) -> None:
    with torch.no_grad():
        model.network[0].weight[0, 0] = value
    message = r"network.0.weight holds values that are not finite; the training diverged"
    with pytest.raises(CheckpointError, match=message):
        export_model(model, tmp_path / "model.pt")
    assert not list(tmp_path.iterdir())


def test_a_baseline_that_is_not_a_number_is_refused(model: MLIPModel, tmp_path: Path) -> None:
    model.composition.values[0] = torch.nan
    with pytest.raises(CheckpointError, match=r"composition\.values holds NaN"):
        export_model(model, tmp_path / "model.pt")


def test_a_missing_folder_is_found_before_the_work(model: MLIPModel, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot be written: .*; there is no folder"):
        export_model(model, tmp_path / "nowhere" / "model.pt")


def test_a_folder_that_takes_no_files_is_found_before_the_work(
    model: MLIPModel, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written: Not a directory"):
        export_model(model, tmp_path / "file" / "model.pt")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "model.zip",
            "is a .pt file; an archive is made of a checkpoint: mtt export model.ckpt -o",
        ),
        ("model.onnx", "an exported model is a .pt file"),
    ],
)
def test_other_formats_are_refused(
    model: MLIPModel, name: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=message):
        export_model(model, tmp_path / name)


def test_a_folder_is_not_a_file(model: MLIPModel, tmp_path: Path) -> None:
    (tmp_path / "model.pt").mkdir()
    with pytest.raises(CheckpointError, match="is a folder"):
        export_model(model, tmp_path / "model.pt")


def test_a_file_that_is_not_an_exported_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.pt: no such file"):
        load_exported(tmp_path / "model.pt")
    (tmp_path / "model.pt").write_text("no model")
    with pytest.raises(CheckpointError, match=r"model\.pt: .*a text file"):
        load_exported(tmp_path / "model.pt")
    torch.save({"weights": torch.zeros(3)}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=r"model\.pt: is not an exported model"):
        load_exported(tmp_path / "model.pt")


def test_a_flipped_bit_is_found_when_a_file_is_read_back(model: MLIPModel, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    model.export().save(str(path))
    content = bytearray(path.read_bytes())
    weights = model.network[0].weight.detach().numpy().tobytes()
    content[content.index(weights)] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.pt: .*damaged|model\.pt: .*checksum"):
        load_exported(path)
