"""A tiny architecture that keeps every promise, and what it takes to check a variant of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from metatomic.torch import ModelMetadata
from torch import Tensor

from mtt import Graph, MLIPModel, MLIPTrainer
from mtt.registry import Architecture
from mtt.testing import Subject

SOUND = Path(__file__).parent.parent / "resources" / "folders" / "sound"
HYPERS = {"cutoff": 3.5, "width": 6}
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": {"const": "tiny"},
        "atomic_types": {"type": "array", "items": {"type": "integer"}},
        "model": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "cutoff": {"type": "number", "description": "Radius, in the unit of length."},
                "width": {"type": "integer", "minimum": 1, "description": "Of the network."},
            },
        },
        "training": {"$ref": "mtt:training"},
    },
}


class Tiny(MLIPModel):
    """A network of Gaussians of the distances, summed over the neighbours, per element."""

    __checkpoint_version__ = 1
    __supported_devices__ = ["cpu"]
    __supported_dtypes__ = [torch.float32, torch.float64]
    __default_metadata__ = ModelMetadata(name="tiny")

    def __init__(self, hypers, dataset_info):
        super().__init__(hypers, dataset_info)
        self.cutoff = float(hypers["cutoff"])
        self.n_types = len(dataset_info.atomic_types)
        self.network = torch.nn.Sequential(
            torch.nn.Linear(4 * self.n_types + self.n_types, hypers["width"]),
            torch.nn.SiLU(),
            torch.nn.Linear(hypers["width"], 1),
        )

    def head_modules(self):
        return {name: ["network.2"] for name in self.target_names}

    def extend_elements(self, name, known, places):
        weight = self.state_dict()[name].clone()
        columns = [4 * t + k for t in places for k in range(4)]
        columns += [4 * self.n_types + t for t in places]
        weight[:, columns] = known.to(weight.dtype)
        return weight

    def smooth(self, r: Tensor) -> Tensor:
        return (1 - r / self.cutoff) ** 3

    def pairs(self, graph: Graph) -> Tensor:
        """[P, 4]"""
        r = torch.linalg.vector_norm(graph.vectors, dim=1, keepdim=True)
        grid = torch.arange(1, 5, device=r.device, dtype=r.dtype)
        return torch.exp(-((r - grid) ** 2)) * self.smooth(r)

    def densities(self, graph: Graph) -> Tensor:
        """[n_atoms, 4 n_types]"""
        n_atoms = graph.types.shape[0]
        slots = graph.centers * self.n_types + graph.types[graph.neighbors]
        pairs = self.pairs(graph)
        density = pairs.new_zeros(n_atoms * self.n_types, 4).index_add(0, slots, pairs)
        return density.reshape(n_atoms, -1)

    def atomic_energies(self, graph: Graph) -> Tensor:
        density = self.densities(graph)
        element = torch.nn.functional.one_hot(graph.types, self.n_types).to(density.dtype)
        return self.network(torch.cat([density, element], dim=1))[:, 0]


class Trainer(MLIPTrainer):
    __checkpoint_version__ = 1


def subject_of(
    model: type[MLIPModel] = Tiny,
    *,
    hypers: dict[str, Any] | None = None,
    schema: dict[str, Any] | None = SCHEMA,
) -> Subject:
    """A subject of ``model``, as if it had been found in a folder."""
    person = [("the mtt developers", "@mtt")]
    architecture = Architecture(
        name="tiny",
        folder=Path("tiny"),
        state="external",
        model=model,
        trainer=Trainer,
        authors=person,
        maintainers=person,
        default_hypers={"name": "tiny", "model": hypers or HYPERS, "training": {}},
        schema=schema,
    )
    return Subject(architecture)


@pytest.fixture(autouse=True)
def not_optimised() -> Iterator[None]:
    """Models run a few times: TorchScript takes longer to optimise them than to run them."""
    with torch.jit.optimized_execution(False):
        yield


@pytest.fixture
def tiny() -> type[Tiny]:
    return Tiny


@pytest.fixture
def schema() -> dict[str, Any]:
    return SCHEMA


@pytest.fixture
def make_subject():
    return subject_of


@pytest.fixture
def make_folder(tmp_path: Path):
    """Writes a sound architecture to a folder, with ``changes`` of its files.

    ``changes`` maps a file to pairs of a text in it and what stands there instead; of a file
    that does not exist, to all of its text.
    """

    def make(changes: dict[str, list[tuple[str, str]] | str], name: str = "sound") -> Path:
        folder = tmp_path / name
        shutil.copytree(SOUND, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for file, edits in changes.items():
            if isinstance(edits, str):
                (folder / file).write_text(edits)
                continue
            text = (folder / file).read_text()
            for old, new in edits:
                assert text.count(old) == 1, f"{file} has {text.count(old)} times {old!r}"
                text = text.replace(old, new)
            (folder / file).write_text(text)
        return folder

    return make
