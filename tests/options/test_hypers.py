"""The architecture's section: loss, old names, schemas, trainers of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtt.errors import ArchitectureError
from mtt.options import Options, peer_notice

HEAD = "architecture: {name: soap_bpnn}\n"
DATA = "training_set: a.xyz\nvalidation_set: 0.1\n"
Reader = Callable[..., Options]
Refused = Callable[..., list[str]]
Writer = Callable[[str], Path]


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("maee", "loss: unknown loss 'maee'; did you mean 'mae'?"),
        ("{enrgy: mae}", "loss.enrgy: not a target of the training set; did you mean 'energy'?"),
        ("{energy: {wieght: 1}}", "loss.energy.wieght: unknown key; did you mean 'weight'?"),
        ("{energy: {weight: -1}}", "loss.energy.weight: must be at least 0, got -1"),
        ("{energy: {weight: .inf}}", "loss.energy.weight: expected a number or a mapping, got inf"),
        ("{energy: {reduction: max}}", "reduction: expected one of 'mean', 'sum'"),
        ("{energy: {forces: {delta: 0}}}", "loss.energy.forces.delta: must be above 0, got 0"),
        ("{energy: {gradients: {position: mse}}}", "did you mean 'positions'?"),
        ("{energy: {gradients: 3}}", "loss.energy.gradients: expected a mapping"),
        (
            "{energy: {forces: mae, gradients: {positions: mse}}}",
            "the positions loss is given twice",
        ),
        ("{mtt::x: {forces: mae}}", "loss.mtt::x.forces: no such gradient"),
        ("3", "loss: expected text or a mapping, got 3"),
    ],
)
def test_a_loss_that_makes_no_sense_is_refused(refused: Refused, loss: str, message: str) -> None:
    text = (
        f"architecture: {{name: soap_bpnn, training: {{loss: {loss}}}}}\ntraining_set:\n"
        "  systems: a.xyz\n  targets: {energy: {}, 'mtt::x': {}}\nvalidation_set: 0.1\n"
    )
    assert message in "\n".join(refused(text))


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ("batch_atom_bounds: 3", "batch_atom_bounds: expected [min, max]"),
        (
            "{batch_atom_bounds: [1, 2], max_atoms_per_batch: 3}",
            "batch_atom_bounds: contradicts 'max_atoms_per_batch'",
        ),
        (
            "{fixed_composition_weights: {}, atomic_baseline: {}}",
            "the old name of 'atomic_baseline', which is given too",
        ),
        ("loss: {type: mse, weights: {gap: 1}}", "loss.weights.gap: not a target"),
        ("loss: {type: mse, weights: {virial: 1}}", "loss.weights.virial: not one target has"),
        ("loss: {type: {huber: {}}, weights: {}}", "not available yet: this old form of the loss"),
    ],
)
def test_old_names_that_contradict_are_refused(
    refused: Refused, training: str, message: str
) -> None:
    body = training if training.startswith("{") else f"{{{training}}}"
    text = f"architecture: {{name: soap_bpnn, training: {body}}}\n{DATA}"
    assert message in "\n".join(refused(text))


def test_a_custom_trainer_gets_its_options_unchanged(read: Reader, own_toy: Any) -> None:
    text = (
        "architecture:\n  name: own\n  model: {anything: [1, 2]}\n"
        "  training: {steps: 3, batch_atom_bounds: [1, 2], loss: {energy: {type: cosh, beta: 2}}}\n"
    )
    options = read(text + DATA, architecture=own_toy)
    training = options.architecture["training"]
    assert options.architecture["model"] == {"anything": [1, 2]}
    assert training["steps"] == 3
    assert training["batch_atom_bounds"] == [1, 2]
    assert training["loss"]["energy"]["type"] == "cosh"
    assert training["loss"]["energy"]["beta"] == 2
    assert training["loss"]["energy"]["gradients"]["positions"]["type"] == "mse"
    assert "num_epochs" not in training


def test_without_a_schema_the_platforms_training_options_are_checked(
    refused: Refused, toy: Any
) -> None:
    toy.schema = None
    toy.default_hypers["training"]["own"] = 1
    text = "architecture: {name: x, model: {free: 1}, training: {own: 2, num_epoch: 3}}\n" + DATA
    (problem,) = refused(text)
    assert problem.endswith("training.num_epoch: unknown key; did you mean 'num_epochs'?")


def test_a_misspelt_keyword_of_a_schema_is_the_architectures_error(read: Reader, toy: Any) -> None:
    toy.schema["properties"]["model"]["properties"]["cutoff"]["exclusiveMinimun"] = 0
    with pytest.raises(ArchitectureError, match=r"exclusiveMinimun: unknown keyword; did you mean"):
        read(HEAD + DATA)


def test_a_model_option_can_be_refused_as_not_available(refused: Refused) -> None:
    text = f"architecture: {{name: soap_bpnn, model: {{long_range: true}}}}\n{DATA}"
    (problem,) = refused(text)
    assert "architecture.model.long_range: not available yet: long-range models" in problem


def test_names_of_metatrain_are_known_with_and_without_folder() -> None:
    for name in ("gap", "experimental.mace", "mace", "deprecated.nanopet", "nanopet"):
        assert "not available here" in str(peer_notice(name))
    assert peer_notice("pett") is None
