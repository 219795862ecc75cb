"""What `mtt show` tells of a file."""

import json
from pathlib import Path
from typing import Dict, List, Optional

import pytest
import torch
from metatensor.torch import Labels, TensorMap
from metatomic.torch import (
    AtomisticModel,
    ModelCapabilities,
    ModelMetadata,
    ModelOutput,
    NeighborListOptions,
    System,
)

from mtt.checkpoint import describe, write
from mtt.errors import CheckpointError


class Nothing(torch.nn.Module):
    """A model that predicts nothing, to be exported."""

    def requested_neighbor_lists(self) -> List[NeighborListOptions]:
        return [NeighborListOptions(4.5, False, True)]

    def forward(
        self,
        systems: List[System],
        outputs: Dict[str, ModelOutput],
        selected_atoms: Optional[Labels] = None,
    ) -> Dict[str, TensorMap]:
        return {}


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """A small exported model."""
    capabilities = ModelCapabilities(
        outputs={"energy": ModelOutput(unit="eV", sample_kind="system")},
        atomic_types=[1, 6],
        interaction_range=4.5,
        length_unit="angstrom",
        supported_devices=["cpu"],
        dtype="float64",
    )
    path = tmp_path / "model.pt"
    AtomisticModel(Nothing().eval(), ModelMetadata(name="small"), capabilities).save(path)
    return path


def test_a_checkpoint_is_described_with_its_kind_and_progress(file) -> None:
    told = describe(file)
    assert told["kind"] == "checkpoint"
    assert told["problem"] is None
    assert told["bytes"] == file.stat().st_size
    assert told["architecture"] == "two_numbers"
    assert (told["epoch"], told["best_epoch"], told["step"]) == (3, 2, 30)
    assert told["targets"] == {"energy": {"quantity": "energy", "unit": "eV"}}
    assert told["weights"] == {"values": 8, "dtypes": ["float32"]}
    assert told["model_hypers"] == {"cutoff": 5.0, "widths": [8, 8]}
    json.dumps(told)


def test_values_that_json_does_not_know_become_text(tmp_path, checkpoint) -> None:
    odd = {"dtype": torch.float32, 3: (torch.tensor(2.5), torch.ones(2, 3), {1})}
    write(tmp_path / "a.ckpt", checkpoint | {"provenance": odd})
    told = describe(tmp_path / "a.ckpt")["provenance"]
    assert told == {"dtype": "torch.float32", "3": [2.5, "tensor of shape [2, 3]", [1]]}


def test_a_checkpoint_of_a_plain_torch_save_is_described(tmp_path) -> None:
    torch.save({"model_ckpt_version": 2}, tmp_path / "a.ckpt")
    told = describe(tmp_path / "a.ckpt")
    assert told["model_version"] == 2
    assert told["architecture"] is told["epoch"] is told["weights"] is None


def test_the_sound_part_of_a_damaged_checkpoint_is_described(file, flip, inside) -> None:
    flip(file, inside(file, "/data/1"))
    told = describe(file)
    assert "checksum" in told["problem"]
    assert told["epoch"] == 3


def test_a_truncated_checkpoint_is_described_as_truncated(file) -> None:
    file.write_bytes(file.read_bytes()[:-50])
    told = describe(file)
    assert "cut short" in told["problem"]
    assert told.keys() == {"file", "bytes", "kind", "problem"}


def test_an_exported_model_is_described_with_its_capabilities(exported) -> None:
    told = describe(exported)
    assert told["kind"] == "exported model"
    assert told["problem"] is None
    assert told["metadata"]["name"] == "small"
    assert told["export"]["torch-version"] == torch.__version__
    assert told["capabilities"] == {
        "outputs": {"energy": {"unit": "eV", "sample_kind": "system", "gradients": [],
                               "description": ""}},
        "atomic_types": [1, 6],
        "interaction_range": 4.5,
        "cutoff": 4.5,
        "length_unit": "angstrom",
        "supported_devices": ["cpu"],
        "dtype": "float64",
    }  # fmt: skip
    json.dumps(told)


def test_a_damaged_exported_model_is_described_and_not_loaded(exported, flip, inside) -> None:
    flip(exported, inside(exported, "/data.pkl"))
    told = describe(exported)
    assert told["kind"] == "exported model"
    assert "checksum" in told["problem"]
    assert "capabilities" not in told


def test_a_torchscript_program_that_is_not_a_model_is_refused(tmp_path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="is a TorchScript program, but not an exported"):
        describe(tmp_path / "model.pt")


def test_a_text_file_is_refused(tmp_path) -> None:
    (tmp_path / "options.yaml").write_text("seed: 1")
    with pytest.raises(CheckpointError, match="is not a checkpoint, but a YAML file"):
        describe(tmp_path / "options.yaml")
