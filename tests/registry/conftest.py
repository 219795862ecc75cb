"""Architecture folders, whole and broken, written by the tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mtt.registry.places import VARIABLE

MODEL = '''
from typing import Dict, List, Optional

import torch
from metatensor.torch import Labels, TensorMap
from metatomic.torch import ModelMetadata, ModelOutput, NeighborListOptions, System

from mtt import ModelInterface


class Model(ModelInterface):
    """Predicts nothing."""

    __checkpoint_version__ = 1
    __supported_devices__ = ["cpu"]
    __supported_dtypes__ = [torch.float64]
    __default_metadata__ = ModelMetadata()

    def forward(
        self,
        systems: List[System],
        outputs: Dict[str, ModelOutput],
        selected_atoms: Optional[Labels] = None,
    ) -> Dict[str, TensorMap]:
        return {}

    def requested_neighbor_lists(self) -> List[NeighborListOptions]:
        return []

    def supported_outputs(self) -> Dict[str, ModelOutput]:
        return {}

    def restart(self, dataset_info): return self
    def get_checkpoint(self): return {"model_ckpt_version": 1}
    @classmethod
    def load_checkpoint(cls, checkpoint, context): ...
    @classmethod
    def upgrade_checkpoint(cls, checkpoint): return checkpoint
    def export(self, metadata=None): ...


class Trainer: ...
'''

TRAINER = """
from mtt import TrainerInterface

from .model import Model


class Trainer(TrainerInterface):
    __checkpoint_version__ = 1

    def train(self, model, dtype, devices, train_datasets, val_datasets, checkpoint_dir): ...
    def save_checkpoint(self, model, path): ...
    @classmethod
    def load_checkpoint(cls, checkpoint, hypers, context): ...
    @classmethod
    def upgrade_checkpoint(cls, checkpoint): return checkpoint
"""

INIT = '''"""Does nothing, in one line.

And more.
"""

from .model import Model
from .trainer import Trainer

__model__ = Model
__trainer__ = Trainer
__authors__ = [("A. Author <a@example.org>", "@a")]
__maintainers__ = [("A. Author <a@example.org>", "@a")]
'''

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No variable from outside, and no module left behind."""
    monkeypatch.delenv(VARIABLE, raising=False)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("mtt_external_", "installed_", "mtt.deprecated", "mtt.experimental")):
            del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path) -> Write:
    """Writes an architecture folder; keywords replace or (None) remove files, by their stem."""

    def write(name: str = "idle", parent: Path = tmp_path / "own", **files: str | None) -> Path:
        content = {
            "__init__": INIT,
            "model": MODEL,
            "trainer": TRAINER,
            "default-hypers": f"name: {name}\nmodel: {{}}\ntraining:\n  learning_rate: 1e-4\n",
            "schema-hypers": None,
        }
        path = parent / name
        path.mkdir(parents=True)
        for stem, text in {**content, **files}.items():
            suffix = {"default-hypers": ".yaml", "schema-hypers": ".json"}.get(stem, ".py")
            if text is not None:
                (path / f"{stem}{suffix}").write_text(text)
        return path

    return write


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes an installed package with entry points, and perhaps extras, of the test's folder."""

    def make(distribution: str, points: dict[str, str], requires: tuple[str, ...] = ()) -> None:
        info = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {distribution}", "Version: 1.0"]
        for line in requires:
            extra = line.rpartition("==")[2].strip(" '\"")
            lines += [f"Provides-Extra: {extra}", f"Requires-Dist: {line}"]
        (info / "METADATA").write_text("\n".join(lines) + "\n")
        entries = [f"{name} = {module}" for name, module in points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[mtt.architectures]", *entries]))
        monkeypatch.syspath_prepend(str(tmp_path))

    return make
