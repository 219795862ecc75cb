"""Fine-tuning: the best weights of another run, everything else anew."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mtt.checkpoint import read
from mtt.errors import CheckpointError, MttError
from mtt.workflows.folder import RunFolder

Fit = Callable[..., RunFolder]


@pytest.fixture
def first(tiny: dict[str, Any], fit: Fit) -> RunFolder:
    return fit(tiny)


@pytest.fixture
def tuning(tiny: dict[str, Any], first: RunFolder) -> dict[str, Any]:
    """Options that fine-tune the first run, with another seed and fewer structures."""
    options = copy.deepcopy(tiny)
    options["seed"] = 8
    options["validation_set"] = 0.5
    options["architecture"]["training"].update(
        num_epochs=1, finetune={"read_from": str(first.checkpoint)}
    )
    return options


def test_it_starts_with_the_best_weights(
    tuning: dict[str, Any], first: RunFolder, fit: Fit
) -> None:
    tuning["architecture"]["training"]["learning_rate"] = 1e-30
    folder = fit(tuning)
    stored, source = read(folder.checkpoint), read(first.checkpoint)
    assert folder.path != first.path
    torch.testing.assert_close(
        stored["model_state_dict"], source["best_model_state_dict"], rtol=1e-12, atol=1e-12
    )
    assert stored["epoch"] == 1
    assert stored["provenance"]["start"] == "finetune"
    assert stored["provenance"]["source"]["provenance"]["seed"] == 1


def test_it_goes_on_from_its_own_checkpoint(tuning: dict[str, Any], fit: Fit) -> None:
    folder = fit(tuning)
    tuning["architecture"]["training"]["num_epochs"] = 2
    assert fit(tuning, "auto").path.samefile(folder.path)
    assert read(folder.checkpoint)["epoch"] == 2
    assert read(folder.checkpoint)["provenance"]["start"] == "finetune"


def other_model(options: dict[str, Any], root: Path) -> None:
    options["architecture"]["model"]["soap"]["cutoff"]["radius"] = 3.0


def other_architecture(options: dict[str, Any], root: Path) -> None:
    training = options["architecture"]["training"]
    options["architecture"] = {"name": "gaussians", "training": training}


def missing_file(options: dict[str, Any], root: Path) -> None:
    options["architecture"]["training"]["finetune"]["read_from"] = "nowhere.ckpt"


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (other_model, CheckpointError, r"cutoff.radius is 3.0 in the options and 2.5 in the"),
        (other_architecture, CheckpointError, r"a checkpoint of .*'soap_bpnn'.*'gaussians'"),
        (missing_file, CheckpointError, r"nowhere.ckpt: no such file"),
    ],
)
def test_what_does_not_fit_is_refused(
    tuning: dict[str, Any],
    fit: Fit,
    root: Path,
    change: Callable[..., None],
    kind: type[MttError],
    message: str,
) -> None:
    change(tuning, root)
    with pytest.raises(kind, match=message):
        fit(tuning, architectures=[root / "examples" / "architecture"])
    assert len(list(Path("outputs").glob("*/*"))) == 1
