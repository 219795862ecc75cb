"""Checkpoints of metatrain's PET: what they predict, and which are refused."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ase
import pytest
import torch

from mtt.checkpoint import read
from mtt.errors import CheckpointError
from mtt.importing import checkpoint_of, read_foreign
from mtt.registry import find
from mtt.testing import predictions, systems

DATA = os.environ.get("MTT_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
SHARED = Path(DATA) / "metatrain-pet"
STORED = Path(__file__).parents[1] / "resources" / "checkpoints"
FILES = sorted(SHARED.glob("*.ckpt")) if SHARED.is_dir() else []
FORMS = {
    "16": (16, {"num_gnn_layers": 3}),
    "16, one element, wider atoms": (16, {"d_node": 6, "num_neighbors_adaptive": 4.5}),
    "15, of charge and spin": (15, {"system_conditioning": True, "max_charge": 2}),
    "9": (9, {"featurizer_type": "residual", "num_gnn_layers": 2}),
    "3": (3, {"residual": True}),
}


def loaded(path: Path) -> Any:
    found, architecture = read_foreign(path)
    checkpoint = checkpoint_of(found, architecture, path)
    return architecture.model.load_checkpoint(checkpoint, "export").to(torch.float64).eval()


def assert_same(model: Any, source: Any) -> None:
    frames = systems.ordinary((1, 6, 8))
    for one, other in zip(predictions(model, frames), predictions(source, frames), strict=True):
        assert list(one) == list(other)
        for name in one:
            for part, value in zip(one[name], other[name], strict=True):
                torch.testing.assert_close(part, value, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_checkpoint_of_metatrain_predicts_what_metatrain_does(path: Path) -> None:
    known = json.loads((SHARED / "predictions.json").read_text())
    model = loaded(path)
    if path.name in known["stored"]:
        told = known["stored"][path.name]
        same = {"numbers": told["types"], "positions": told["positions"]}
        wanted = [{**same, **told["molecule"]}, {**same, **told["crystal"], "cell": told["cell"]}]
    else:
        wanted = known["trained"][path.name]["structures"]
    frames = [
        ase.Atoms(one["numbers"], one["positions"], cell=one.get("cell"), pbc="cell" in one)
        for one in wanted
    ]
    for atoms, found, one in zip(frames, predictions(model, frames), wanted, strict=True):
        energy, forces, strain = found["energy"]
        assert float(energy) == pytest.approx(one["energy"], abs=1e-6)
        torch.testing.assert_close(
            forces, torch.tensor(one["forces"], dtype=torch.float64), rtol=0, atol=1e-6
        )
        if "stress" in one:
            stress = torch.tensor(one["stress"], dtype=torch.float64)
            torch.testing.assert_close(strain / atoms.get_volume(), stress, rtol=0, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_weights_of_every_form_come_to_their_places(
    form: str, metatrain_format: SimpleNamespace, tmp_path: Path
) -> None:
    version, changes = FORMS[form]
    if changes.pop("residual", False):
        changes = {**metatrain_format.OLD, "num_gnn_layers": 2}
    if version < 10:
        changes["cutoff_function"] = "Cosine"
    source = metatrain_format.model(**changes)
    path = metatrain_format.write(
        tmp_path / "theirs.ckpt", metatrain_format.content(source, version)
    )
    found, _ = read_foreign(path)
    assert found.kind == f"PET, checkpoint version {version}"
    assert found.hypers["adaptive_cutoff_method"] == "solver"  # stored, whatever the default
    assert_same(loaded(path), source)


def test_all_energies_are_imported_and_other_targets_are_named(
    metatrain_format: SimpleNamespace, tmp_path: Path
) -> None:
    source = metatrain_format.model("energy", "energy/pbe")
    content = metatrain_format.content(source)
    targets = content["model_data"]["dataset_info"].targets
    targets["non_conservative_force"] = metatrain_format.target(
        "non_conservative_force", per_atom=True, components=3
    )
    state = content["best_model_state_dict"]
    for key in [key for key in state if ".energy." in key]:
        copied = key.replace("energy", "non_conservative_force")
        state[copied] = state[key]
    path = metatrain_format.write(tmp_path / "theirs.ckpt", content)
    found, _ = read_foreign(path)
    assert found.left_out == [
        "the target 'non_conservative_force', which is not the energy of a structure"
    ]
    assert_same(loaded(path), source)


def test_low_rank_corrections_are_merged(metatrain_format: SimpleNamespace, tmp_path: Path) -> None:
    source = metatrain_format.model()
    content = metatrain_format.content(source)
    state, generator = content["best_model_state_dict"], torch.Generator().manual_seed(1)
    for key in [key for key in state if key.endswith("input_linear.weight")]:
        stem, whole = key.removesuffix(".weight"), state.pop(key)
        down = torch.randn(2, whole.shape[1], generator=generator).double()
        up = torch.randn(whole.shape[0], 2, generator=generator).double()
        state[f"{stem}.linear.weight"] = whole - 3.0 / 2 * up @ down
        state[f"{stem}.linear.bias"] = state.pop(f"{stem}.bias")
        state[f"{stem}.lora_A.weight"], state[f"{stem}.lora_B.weight"] = down, up
    how = {"method": "lora", "config": {"rank": 2, "alpha": 3.0}}
    content["model_state_dict"]["finetune_config"] = how
    assert_same(loaded(metatrain_format.write(tmp_path / "theirs.ckpt", content)), source)
    del content["model_state_dict"]["finetune_config"]
    with pytest.raises(CheckpointError, match=r"low-rank corrections .* not what they are"):
        read_foreign(metatrain_format.write(tmp_path / "theirs.ckpt", content))


def test_a_model_with_uncertainties_comes_without_them(
    metatrain_format: SimpleNamespace, tmp_path: Path
) -> None:
    source = metatrain_format.model()
    content = {
        "architecture_name": "llpr",
        "wrapped_model_checkpoint": metatrain_format.content(source),
    }
    path = metatrain_format.write(tmp_path / "theirs.ckpt", content)
    found, _ = read_foreign(path)
    assert found.left_out == ["what 'llpr' of metatrain adds to the model (its uncertainties)"]
    assert_same(loaded(path), source)


def refused(change: str, value: Any, content: dict[str, Any]) -> dict[str, Any]:
    """``content`` with a value at ``a.b.c`` replaced."""
    place: Any = content
    *names, last = change.split("/")
    for name in names:
        place = vars(place)[name] if hasattr(place, "__dict__") and name else place[name]
    place[last] = value
    return content


@pytest.mark.parametrize(
    ("change", "value", "message"),
    [
        ("model_ckpt_version", 17, "version 17 of metatrain's PET; known are 1 to 16; a newer mtt"),
        ("model_ckpt_version", 0, "version 0 of metatrain's PET"),
        ("model_ckpt_version", "16", "version '16' of metatrain's PET"),
        (
            "model_data/model_hypers/long_range",
            {"enable": True},
            r"\(long_range\.enable\), .*energies would be others",
        ),
        ("model_data/model_hypers/d_head", 6, r"does not fit PET .* of the shape"),
        ("model_data/model_hypers/normalization", "None", "normalization.* expected one of"),
        (
            "best_model_state_dict/backend.strange.weight",
            torch.zeros(2),
            r"no known PET has: strange\.weight",
        ),
        (
            "best_model_state_dict/additive_models.0.energy_composition_buffer",
            torch.zeros(9, dtype=torch.uint8),
            "damaged tensor map",
        ),
        ("model_data/dataset_info", None, "holds what the reader of 'pet' does not expect"),
    ],
)
def test_what_cannot_be_imported_is_refused(
    change: str, value: Any, message: str, metatrain_format: SimpleNamespace, tmp_path: Path
) -> None:
    content = refused(change, value, metatrain_format.content(metatrain_format.model()))
    path = metatrain_format.write(tmp_path / "theirs.ckpt", content)
    with pytest.raises(CheckpointError, match=message) as error:
        loaded(path)
    assert str(error.value).startswith(str(path))


def test_a_model_without_an_energy_is_refused(
    metatrain_format: SimpleNamespace, tmp_path: Path
) -> None:
    content = metatrain_format.content(metatrain_format.model())
    targets = content["model_data"]["dataset_info"].targets
    targets["charge"] = metatrain_format.target("charge", per_atom=True)
    del targets["energy"]
    path = metatrain_format.write(tmp_path / "theirs.ckpt", content)
    with pytest.raises(CheckpointError, match=re.escape("among its targets (charge)")):
        read_foreign(path)


def test_own_checkpoints_are_not_taken_for_those_of_metatrain() -> None:
    from mtt.architectures.pet import imports

    for path in STORED.glob("pet-model-*.ckpt"):
        assert imports.read(read(path)) is None


def test_checkpoints_of_version_1_have_the_formulation_that_they_had() -> None:
    architecture = find("pet").load()
    (path,) = STORED.glob("pet-model-1-trainer-1.ckpt")
    upgraded = architecture.model.upgrade_checkpoint(read(path))
    assert upgraded["model_hypers"]["formulation"] == "mtt"
