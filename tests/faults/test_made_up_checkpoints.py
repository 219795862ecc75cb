"""Checkpoints that were made up: whole files, right checksums, and content that fits nothing."""

from __future__ import annotations

import copy
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mtt import export, load_model
from mtt.checkpoint import read
from mtt.errors import CheckpointError, MttError
from mtt.workflows.bounded import MANY

Content = dict[str, Any]
Change = Callable[[Content], Any]


def at(*keys: str, value: Any) -> Change:
    def change(content: Content) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


def broken_sparse(content: Content) -> None:
    with torch.sparse.check_sparse_tensor_invariants(False):
        shape = tuple(content["best_model_state_dict"]["composition.values"].shape)
        made = torch.sparse_coo_tensor(torch.tensor([[0], [0]]), torch.ones(1), shape)
    made._indices()[:] = 10**9  # far outside of it
    content["best_model_state_dict"]["composition.values"] = made


OF_THE_MODEL: dict[str, tuple[Change, str]] = {
    "wide": (at("model_hypers", "bpnn", "num_neurons_per_layer", value=10**6), "asks for a model"),
    "deep": (at("model_hypers", "bpnn", "num_hidden_layers", value=10**7), f"or {MANY:,} tensors"),
    "elements": (at("dataset_info", "atomic_types", value=list(range(1, 10**5))), "asks for a mod"),
    "no hypers": (at("model_hypers", value={}), "the architecture 'soap_bpnn' cannot read .KeyErr"),
    "no info": (at("dataset_info", value=None), "cannot read .TypeError"),
    "dtype": (at("model_dtype", value="evil"), "cannot read .AttributeError"),
    "no weights": (at("best_model_state_dict", value=[1]), "cannot read .TypeError"),
    "metadata": (at("metadata", value=3), "metadata: holds 3, not keys and values"),
    "sparse": (broken_sparse, "the weights do not fit SoapBPNN"),
    "strides": (
        at(
            "best_model_state_dict",
            "composition.values",
            value=torch.zeros(1).as_strided((2**13, 2**11), (0, 0)),
        ),
        "the weights do not fit SoapBPNN",
    ),
}


@pytest.fixture
def made_up(trained: Path) -> Callable[[Change], Path]:
    """A checkpoint with another content, in the folder of the test."""

    def make(change: Change) -> Path:
        content = copy.deepcopy(read(trained / "model.ckpt"))
        change(content)
        torch.save(content, "made_up.ckpt")
        return Path("made_up.ckpt")

    return make


@pytest.mark.parametrize("name", OF_THE_MODEL)
def test_a_model_that_its_weights_do_not_explain_is_refused_with_the_file(
    made_up: Callable[[Change], Path], name: str
) -> None:
    change, expected = OF_THE_MODEL[name]
    with pytest.raises(MttError, match=expected) as caught:
        load_model(made_up(change))
    assert all(one.where.startswith("made_up.ckpt") for one in caught.value.problems)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (at("trainer_state", "epoch", value="x"), "trainer_state.epoch is of type str, not int"),
        (at("trainer_state", "parts", value=None), "trainer_state.parts is of type NoneType"),
        (at("trainer_state", value=3), "the trainer of 'soap_bpnn' cannot read .TypeError"),
        (at("trainer_state", "history", value="["), "cannot read .JSONDecodeError"),
        (at("model_hypers", value={}), "in the checkpoint; a trained model keeps its options"),
    ],
)
def test_a_training_that_fits_nothing_is_refused_with_the_file(
    made_up: Callable[[Change], Path],
    tiny: dict[str, Any],
    write: Callable[..., Path],
    refused: Callable[..., str],
    change: Change,
    expected: str,
) -> None:
    path = made_up(change)
    write(tiny)
    message = refused("train", "options.yaml", "--restart", path, "-o", "out.pt")
    assert re.search(expected, message)
    assert message.startswith("error: made_up.ckpt: ")


def test_numbers_of_any_size_in_one_file_disturb_no_other(
    made_up: Callable[[Change], Path], trained: Path, mtt: Callable[..., Any], tiny: Any, write: Any
) -> None:
    path = made_up(lambda content: content.update(epoch=10**400, best_epoch="x", best_metric="y"))
    shutil.copyfile(trained / "model.ckpt", "model.ckpt")
    write(tiny)
    words = ("train", "options.yaml", "--restart", "model.ckpt", "-o", "out.pt", "--dry-run")
    assert mtt(*words).code == 0
    assert mtt("show", path).code == 0
    assert load_model(path) is not None


@pytest.mark.parametrize("name", ["../../evil", "/evil", "a/../../evil"])
def test_members_outside_of_an_archive_are_written_nowhere(
    trained: Path, here: Path, name: str
) -> None:
    folder = here / "some" / "where"
    folder.mkdir(parents=True)
    archive = export(trained / "model.ckpt", folder / "model.zip")
    shutil.copyfile(trained / "model.ckpt", folder / "model.ckpt")
    for path in (archive, folder / "model.ckpt"):
        with zipfile.ZipFile(path, "a") as file:
            file.writestr(name, b"evil")
        with pytest.raises(CheckpointError, match=path.name):
            load_model(path)
    written = {path.name for path in here.rglob("*") if path.is_file()}
    assert written == {"model.zip", "model.ckpt"}
    assert not Path("/evil").exists()
