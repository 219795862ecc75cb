"""An exported model is a program: what loads it runs it, and `mtt show` does not load it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest
import torch
from metatensor.torch import Labels, TensorMap
from metatomic.torch import AtomisticModel, ModelCapabilities, ModelMetadata, ModelOutput, System

from mtt.checkpoint import describe, verify
from mtt.exporting import load_exported


class WritesAFile(torch.nn.Module):
    """Makes a file when it is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.value = torch.zeros(1)

    @torch.jit.export
    def __getstate__(self) -> Tuple[torch.Tensor, bool]:
        return (self.value, self.training)

    @torch.jit.export
    def __setstate__(self, state: Tuple[torch.Tensor, bool]) -> None:
        self.value = state[0]
        self.training = state[1]
        torch.save(self.value, "made-by-the-model")

    def forward(
        self,
        systems: List[System],
        outputs: Dict[str, ModelOutput],
        selected_atoms: Optional[Labels] = None,
    ) -> Dict[str, TensorMap]:
        return {}


@pytest.fixture
def program() -> Path:
    """An exported model that makes a file when it is loaded."""
    capabilities = ModelCapabilities(
        outputs={"energy": ModelOutput(unit="eV", sample_kind="system")},
        atomic_types=[1],
        interaction_range=2.0,
        length_unit="angstrom",
        supported_devices=["cpu"],
        dtype="float64",
    )
    model = AtomisticModel(WritesAFile().eval(), ModelMetadata(name="harmless"), capabilities)
    model.save("model.pt")
    Path("made-by-the-model").unlink(missing_ok=True)
    return Path("model.pt")


def test_an_exported_model_is_shown_and_verified_without_running_it(program: Path) -> None:
    told = describe(program)
    verify(program)
    assert not Path("made-by-the-model").exists()
    assert told["problem"] is None
    assert told["metadata"]["name"] == "harmless"
    assert told["capabilities"]["atomic_types"] == [1]


def test_loading_an_exported_model_runs_it_as_the_documentation_says(program: Path) -> None:
    load_exported(program)
    assert Path("made-by-the-model").exists()


def test_no_command_but_eval_runs_an_exported_model(
    program: Path,
    tiny: dict[str, Any],
    write: Callable[..., Path],
    mtt: Callable[..., Any],
    web: Any,
) -> None:
    write({"systems": tiny["training_set"]["systems"]}, "eval.yaml")
    write(tiny)
    tiny["architecture"]["training"]["finetune"] = {"read_from": str(program)}
    write(tiny, "finetune.yaml")
    url = web.file("/model.pt", program.read_bytes())
    for code, *command in (
        (0, "show", program),
        (0, "show", url),
        (1, "import", program, "-o", "new.ckpt"),
        (1, "export", program, "-o", "new.pt"),
        (1, "train", "options.yaml", "--restart", program, "-o", "new.pt"),
        (1, "train", "finetune.yaml", "-o", "new.pt", "--dry-run"),
        (1, "eval", url, "eval.yaml"),
    ):
        assert mtt(*command).code == code, command
        assert not Path("made-by-the-model").exists(), command
