"""Checkpoints of sevenn that a user has: what they predict, keep, and which are refused."""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ase.build
import ase.io
import numpy as np
import pytest
import torch

from mtt import DatasetInfo, TargetInfo, load_model, registry, train
from mtt.checkpoint import read
from mtt.errors import ArchitectureError, CheckpointError, ConfigError, MttError
from mtt.experimental.sevennet import given
from mtt.experimental.sevennet.package import package
from mtt.nn import building
from mtt.testing.predictions import predictions

pytestmark = pytest.mark.skipif(
    find_spec("sevenn") is None, reason="needs sevenn: pip install 'mtt[sevennet]'"
)

ARCHITECTURE = registry.find("experimental.sevennet").load()
DEFAULTS = ARCHITECTURE.default_hypers["model"]
INFO = DatasetInfo("angstrom", (1, 6, 8), {"energy": TargetInfo.energy("eV", forces=True)})


def content() -> dict[str, Any]:
    """What the package stores of a tiny network, as its trainer writes it."""
    defaults = package("_const").DEFAULT_E3_EQUIVARIANT_MODEL_CONFIG
    config = {
        **defaults,
        "version": "0.13.0",
        "_model_type": "E3_equivariant_model",
        "channel": 4,
        "num_convolution_layer": 2,
        "cutoff": 3.5,
        "weight_nn_hidden_neurons": [8, 8],
        "conv_denominator": [np.float64(5.0), 5.0],
        "self_connection_type": "linear",
        "radial_basis": {"radial_basis_name": "bessel", "bessel_basis_num": 4},
        "cutoff_function": {"cutoff_function_name": "poly_cut", "poly_cut_p_value": 6},
        "shift": np.array([-1.0, -2.0, -3.0]),
        "scale": [1.5, 1.5, 1.5],
        "_number_of_species": 3,
        "_type_map": {1: 0, 6: 1, 8: 2},
    }
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = package("model_build").build_E3_equivariant_model(copy.deepcopy(config))
    more = {"optimizer_state_dict": {}, "time": "2026-01-01 00:00", "hash": "00"}
    return {"config": config, "model_state_dict": network.state_dict(), "epoch": 1, **more}


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return content()


@pytest.fixture
def file(stored: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint_best.pth"
    torch.save(stored, path)
    return path


def model_of(name: Path | str, **changed: Any) -> Any:
    with building(3, torch.float32):
        return ARCHITECTURE.model({**DEFAULTS, "pretrained": str(name), **changed}, INFO).eval()


def test_a_file_predicts_what_the_package_predicts(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        model = model_of(file)
    assert f"{file}: SHA-256 {given.digest_of(str(file))}, of which no published" in caplog.text
    atoms = ase.build.molecule("CH3CH2OH")
    (found,) = predictions(model, [atoms])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = import_module("sevenn.calculator").SevenNetCalculator
        atoms.calc = theirs(str(file), device="cpu")
    assert float(found["energy"].values) == pytest.approx(atoms.get_potential_energy(), abs=1e-5)
    np.testing.assert_allclose(found["energy"].forces, atoms.get_forces(), atol=1e-5)


def test_the_checkpoint_is_loaded_without_the_file(file: Path) -> None:
    model = model_of(file)
    checkpoint = model.get_checkpoint()
    assert json.loads(json.dumps(checkpoint["sevennet_network"])) == checkpoint["sevennet_network"]
    atoms = ase.build.molecule("CH3CH2OH")
    (before,) = predictions(model, [atoms])
    torch.save({"config": {}}, file)  # another content is not read either
    (changed,) = predictions(type(model).load_checkpoint(checkpoint, "export").eval(), [atoms])
    file.unlink()
    (after,) = predictions(type(model).load_checkpoint(checkpoint, "export").eval(), [atoms])
    assert torch.equal(before["energy"].forces, after["energy"].forces)
    assert torch.equal(before["energy"].forces, changed["energy"].forces)
    model_of(file)  # as a fine-tuning of that checkpoint builds its model


def test_a_training_from_a_file(
    file: Path, ethanol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ase.io.write("few.xyz", ase.io.read(ethanol, ":3"))
    energy = {"key": "energy", "unit": "eV", "forces": True, "stress": False}
    systems = {"read_from": "few.xyz", "length_unit": "angstrom"}
    data = {"systems": systems, "targets": {"energy": energy}}
    tuning = {"method": "lora", "config": {"rank": 2}}
    training = {"num_epochs": 1, "batch_size": 3, "finetune": tuning}
    model = {"pretrained": file.name}
    architecture = {"name": "experimental.sevennet", "model": model, "training": training}
    options = {
        "seed": 1,
        "device": "cpu",
        "architecture": architecture,
        "training_set": data,
        "validation_set": data,
        "test_set": 0.0,
        "final_eval": False,
    }
    train(options, output="tuned.pt")
    source = read(tmp_path / "tuned.ckpt")["provenance"]["source"]
    assert (source["path"], source["sha256"]) == (file.name, given.digest_of(str(file)))
    file.unlink()
    frames = ase.io.read("few.xyz", ":1")
    (ours,) = predictions(load_model("tuned.ckpt"), frames)
    (exported,) = predictions(load_model("tuned.pt"), frames)
    torch.testing.assert_close(ours["energy"].forces, exported["energy"].forces, atol=1e-5, rtol=0)
    # and once more, from the outcome, where the first file is gone
    training["finetune"] = {"read_from": "tuned.ckpt", "method": "heads"}
    train(options, output="again.pt")


def _lacks_elements(content: dict[str, Any]) -> None:
    del content["config"]["_type_map"]


def _is_huge(content: dict[str, Any]) -> None:
    content["config"]["channel"] = 10**9


def _has_huge_irreps(content: dict[str, Any]) -> None:
    content["config"]["irreps_manual"] = ["999999999x0e"] * 3


def _is_of_another_kind(content: dict[str, Any]) -> None:
    content["config"]["_model_type"] = "other"


def _has_no_version(content: dict[str, Any]) -> None:
    content["config"]["version"] = "latest"


def _is_accelerated(content: dict[str, Any]) -> None:
    content["config"]["cuequivariance_config"] = {"use": True}


def _is_not_finite(content: dict[str, Any]) -> None:
    name = next(iter(content["model_state_dict"]))
    content["model_state_dict"][name] = content["model_state_dict"][name] * float("nan")


def _lacks_weights(content: dict[str, Any]) -> None:
    content["model_state_dict"].popitem()


def _is_of_other_weights(content: dict[str, Any]) -> None:
    content["config"]["channel"] = 5


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_lacks_elements, "does not say which elements it knows"),
        (_is_huge, "has channel 1000000000, which is not a number from 0 to 4096"),
        (_has_huge_irreps, "has irreps_manual with 999999999 features of one degree"),
        (_is_of_another_kind, "of a model 'other', not 'E3_equivariant_model'"),
        (_has_no_version, "written by sevenn 'latest', which is not a version"),
        (_is_accelerated, r"in the order of an accelerator \(cuequivariance_config\)"),
        (_is_not_finite, "has weights that are not finite: "),
        (_lacks_weights, "its weights do not fit the network that it describes"),
        (_is_of_other_weights, "its weights do not fit the network that it describes"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    spoil: Callable[[dict[str, Any]], None], message: str, stored: dict[str, Any], tmp_path: Path
) -> None:
    changed = copy.deepcopy(stored)
    spoil(changed)
    path = tmp_path / "other.pth"
    torch.save(changed, path)
    with pytest.raises(CheckpointError, match=message):
        model_of(path)


def test_what_is_not_a_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.pth: cannot be read: No such file"):
        model_of(tmp_path / "none.pth")
    with pytest.raises(ArchitectureError, match="read from a file, not from an address; download"):
        model_of("https://example.org/checkpoint_best.pth")
    program = tmp_path / "deployed.pt"
    torch.jit.script(torch.nn.Linear(1, 1)).save(str(program))
    with pytest.raises(CheckpointError, match=r"is a TorchScript program.* give the checkpoint th"):
        model_of(program)
    other = tmp_path / "other.pth"
    torch.save({"weights": torch.ones(2)}, other)
    with pytest.raises(CheckpointError, match="is not a checkpoint of sevenn"):
        model_of(other)


def test_a_damaged_file_is_not_loaded(stored: dict[str, Any], file: Path) -> None:
    largest = max(stored["model_state_dict"].values(), key=torch.numel)
    whole = bytearray(file.read_bytes())
    whole[whole.index(largest.numpy().tobytes())] ^= 1
    file.write_bytes(whole)
    with pytest.raises(CheckpointError, match="damaged"):
        model_of(file)


def test_modalities_and_network_of_a_file_are_its_own(file: Path) -> None:
    with pytest.raises(ArchitectureError, match=r"has no modalities; leave it out"):
        model_of(file, modality="PBE")
    with pytest.raises(MttError, match="does not know Si"), building(3, torch.float32):
        info = DatasetInfo("angstrom", (1, 14), INFO.targets)
        ARCHITECTURE.model({**DEFAULTS, "pretrained": str(file)}, info)


def test_lists_of_matrices_are_corrected(file: Path) -> None:
    from mtt.mlip.trainable.freeze import choose_trainable
    from mtt.options.training.finetune import FinetuneOptions

    model = model_of(file)
    options = FinetuneOptions.of({"method": "lora", "read_from": "x", "config": {"rank": 2}})
    with pytest.raises(ConfigError, match="matches none of the linear layers"):
        other = {**options.plain(), "config": {"target_modules": ["none"]}}
        choose_trainable(model, FinetuneOptions.of(other), [], {})
    record = choose_trainable(model, options, [], {})
    assert record is not None
    assert "network.layers.0_self_interaction_2.linear" in record["layers"]
