"""A small architecture made of real classes, and a way to write options files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mtt.errors import ConfigError
from mtt.interface import ModelInterface
from mtt.options import Options, load_options, resolve
from mtt.training import MLIPTrainer


class ToyModel(ModelInterface):
    """Enough of a model for options: they ask for its precision only."""

    __supported_dtypes__: ClassVar[list[str]] = ["torch.float64", "torch.float32"]


class ToyTrainer(MLIPTrainer):
    __checkpoint_version__ = 1


class OwnTrainer(MLIPTrainer):
    """A trainer with options of its own alone."""

    @classmethod
    def platform_hypers(cls) -> dict[str, Any]:
        return {}


def toy_schema() -> dict[str, Any]:
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string"},
            "atomic_types": {"type": "array"},
            "model": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "cutoff": {"type": "number", "exclusiveMinimum": 0},
                    "width": {"type": "integer"},
                    "bits": {"type": "integer"},
                    "layers": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "array"}]},
                    "long_range": {"const": False, "x-not-available": "long-range models"},
                },
            },
            "training": {"$ref": "mtt:training"},
        },
    }


@dataclass
class Toy:
    """An architecture, as the registry loads it."""

    name: str = "soap_bpnn"
    folder: Path = Path("toy")
    model: type = ToyModel
    trainer: type = ToyTrainer
    default_hypers: dict[str, Any] = field(
        default_factory=lambda: {
            "name": "soap_bpnn",
            "model": {"cutoff": 5.0, "width": 32, "layers": 2, "bits": "${base_precision}"},
            "training": {"batch_size": 4},
        }
    )
    schema: dict[str, Any] | None = field(default_factory=toy_schema)


@pytest.fixture
def toy() -> Toy:
    return Toy()


@pytest.fixture
def own_toy() -> Toy:
    """With a trainer that is not the platform's, and without a schema."""
    hypers = {"name": "own", "model": {}, "training": {"steps": 10, "loss": "mse"}}
    return Toy(name="own", trainer=OwnTrainer, default_hypers=hypers, schema=None)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Write ``options.yaml`` in a fresh working folder; returns its relative path."""
    monkeypatch.chdir(tmp_path)

    def write_file(text: str) -> Path:
        path = Path("options.yaml")
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def read(write: Callable[[str], Path], toy: Toy) -> Callable[..., Options]:
    """From the text of an options file to options of the toy architecture."""

    def read_text(text: str, overrides: Sequence[str] = (), architecture: Any = toy) -> Options:
        return resolve(load_options(write(text), overrides), architecture)

    return read_text


@pytest.fixture
def refused(read: Callable[..., Options]) -> Callable[..., list[str]]:
    """From the text of a wrong options file to the lines of its one report."""

    def told(text: str, *overrides: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(text, overrides)
        return str(caught.value).splitlines()

    return told
