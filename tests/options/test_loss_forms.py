"""The loss in options files: schedules of weights, stages, weights of data sets."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtt.options import Options, load_eval_options, load_options, resolve

Reader = Callable[..., Options]
Refused = Callable[..., list[str]]
DATA = "training_set: a.xyz\nvalidation_set: 0.1\n"
FORCES = "loss.energy.gradients.positions"


def options_file(loss: str, data: str = DATA) -> str:
    """An options file whose loss stands in line 4."""
    return f"architecture:\n  name: soap_bpnn\n  training:\n    loss: {loss}\n{data}"


def forces_of(options: Options) -> dict[str, Any]:
    term: dict[str, Any] = options.architecture["training"]["loss"]["energy"]
    return term["gradients"]["positions"]


@pytest.mark.parametrize(
    ("weight", "internal"),
    [
        ("{0: 1, 100: 25}", {0: 1.0, 100: 25.0}),
        ("{100: 25, 0: 1}", {0: 1.0, 100: 25.0}),
        ("{'0': 1.0, '100': 25.0}", {0: 1.0, 100: 25.0}),
        ("{0: 1, 100: 25, interpolation: step}", {0: 1.0, 100: 25.0}),
        ("{0: 1, 9: 0, interpolation: linear}", {0: 1.0, 9: 0.0, "interpolation": "linear"}),
    ],
)
def test_schedules_of_weights_survive_options_restart(
    read: Reader, write: Callable[[str], Path], toy: Any, weight: str, internal: dict[Any, Any]
) -> None:
    options = read(options_file(f"{{energy: {{forces: {{weight: {weight}}}}}}}"))
    assert forces_of(options)["weight"] == internal
    assert list(forces_of(options)["weight"]) == list(internal)
    again = resolve(load_options(write(options.to_yaml())), toy)
    assert again == options


def test_an_override_adds_an_epoch_to_a_schedule(read: Reader) -> None:
    text = options_file("{energy: {forces: {weight: {0: 1.0, 100: 25.0}}}}")
    key = "architecture.training.loss.energy.forces.weight"
    assert forces_of(read(text, [f"{key}.100=30"]))["weight"] == {0: 1.0, 100: 30.0}
    assert forces_of(read(text, [f"{key}.200=2"]))["weight"] == {0: 1.0, 100: 25.0, 200: 2.0}
    assert forces_of(read(text, [f"{key}=3"]))["weight"] == 3.0


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ("{10: 1.0}", "weight: there is no weight for epoch 0; write {0: 1.0, 100: 25.0}"),
        ("{0: 1.0, ten: 2.0}", "weight.ten: 'ten' is not an epoch; write {0: 1.0"),
        ("{0: 1.0, 1.5: 2.0}", "the key '1.5' is not a name or an integer"),
        ("{0: 1.0, -1: 2.0}", "'-1' is not an epoch"),
        ("{0: 1.0, '0': 2.0}", "weight: an epoch is given twice"),
        ("{0: -1.0}", "must be at least 0 and finite, got -1.0"),
        ("{0: much}", "expected a number, got the text 'much'"),
        ("{0: true}", "expected a number, got true"),
        ("{0: 1.0, interpolation: cubic}", "expected 'step' or 'linear', got the text 'cubic'"),
        ("much", "weight: expected a number or a mapping, got the text 'much'"),
    ],
)
def test_schedules_that_make_no_sense_are_refused_with_their_line(
    refused: Refused, weight: str, message: str
) -> None:
    (told,) = refused(options_file(f"{{energy: {{forces: {{weight: {weight}}}}}}}"))
    assert told.startswith("options.yaml:4")
    assert "architecture.training.loss.energy.forces.weight" in told
    assert message in told


@pytest.mark.parametrize(
    ("loss", "where"),
    [
        ("huber_forces", "loss"),
        ("{energy: huber_forces}", "loss.energy"),
        ("{energy: {type: huber_forces}}", "loss.energy.type"),
        ("{energy: {stress: huber_forces}}", "loss.energy.stress"),
    ],
)
def test_huber_forces_is_for_forces_alone(refused: Refused, loss: str, where: str) -> None:
    (told,) = refused(options_file(loss))
    assert told.startswith(f"options.yaml:4 architecture.training.{where}: huber_forces is for")


def test_huber_forces_has_a_delta(read: Reader) -> None:
    options = read(options_file("{energy: {type: huber, forces: huber_forces}}"))
    assert forces_of(options) == {
        "type": "huber_forces",
        "weight": 1.0,
        "reduction": "mean",
        "delta": 1.0,
    }


def test_every_term_has_a_separate_reduction(read: Reader) -> None:
    options = read(options_file("{energy: {reduction: sum, forces: {reduction: structure_mean}}}"))
    assert options.architecture["training"]["loss"]["energy"]["reduction"] == "sum"
    assert forces_of(options)["reduction"] == "structure_mean"


STAGES = """architecture:
  name: soap_bpnn
  training:
    loss:
      energy: {type: huber, delta: 0.1, weight: 40, forces: {type: mae, weight: 1000}}
    stages:
    - num_epochs: 5
    - num_epochs: 5
      loss:
        energy: {weight: 1000, forces: {weight: 40}}
    - {num_epochs: 5, loss: mse}
    - {num_epochs: 5, loss: {energy: mae}}
"""


def test_the_loss_of_a_stage_is_laid_over_that_of_the_training(
    read: Reader, write: Callable[[str], Path], toy: Any
) -> None:
    options = read(STAGES + DATA)
    one, two, three, four = options.architecture["training"]["stages"]
    assert "loss" not in one
    energy = two["loss"]["energy"]
    assert (energy["type"], energy["delta"], energy["weight"]) == ("huber", 0.1, 1000.0)
    forces = {"type": "mae", "weight": 40.0, "reduction": "mean"}
    assert energy["gradients"]["positions"] == forces
    # one name is the loss of everything, with weights of 1
    term = {"type": "mse", "weight": 1.0, "reduction": "mean"}
    assert three["loss"]["energy"] == {**term, "gradients": {"positions": term, "strain": term}}
    # another type keeps the weight, not the delta
    assert {k: four["loss"]["energy"][k] for k in ("type", "weight")} == {
        "type": "mae",
        "weight": 40.0,
    }
    assert "delta" not in four["loss"]["energy"]
    assert resolve(load_options(write(options.to_yaml())), toy) == options


def test_mistakes_in_the_loss_of_a_stage_are_reported_at_their_line(refused: Refused) -> None:
    text = STAGES.replace("weight: 1000, forces", "weight: {5: 1}, forces") + DATA
    (told,) = refused(text)
    assert told.startswith(
        "options.yaml:10 architecture.training.stages[1].loss.energy.weight: there is no weight"
    )


def test_schedules_of_weights_are_the_platforms_own(refused: Refused, own_toy: Any, read: Reader):
    loss = "{energy: {weight: {0: 1.0}, reduction: structure_mean}}"
    text = f"architecture: {{name: own, training: {{loss: {loss}}}}}\n" + DATA
    with pytest.raises(Exception, match="weight: expected a number, got a mapping"):
        read(text, architecture=own_toy)


@pytest.mark.parametrize(
    ("weight", "value"),
    [("2", 2.0), ("0", 0.0), ("config_weight", "config_weight"), ("{key: w}", "w"), ("null", None)],
)
def test_a_data_set_has_a_weight_or_a_key_of_weights(
    read: Reader, write: Callable[[str], Path], toy: Any, weight: str, value: Any
) -> None:
    data = "{systems: a.xyz, targets: {energy: {}}, weight: %s}"
    text = f"training_set: [{data % weight}, {data % '3.0'}]\nvalidation_set: 0.1\n"
    options = read(options_file("mse", text))
    assert [one.weight for one in options.training_set] == [value, 3.0]
    assert resolve(load_options(write(options.to_yaml())), toy) == options
    (one,) = load_eval_options({"systems": "a.xyz", "weight": value})
    assert one.weight == value


def test_validation_sets_have_separate_weights(read: Reader, refused: Refused) -> None:
    data = "{systems: a.xyz, targets: {energy: {}}, weight: %s}"
    text = f"training_set: {data % '2.0'}\nvalidation_set: {data % 'w'}\n"
    options = read(options_file("mse", text))
    assert isinstance(options.validation_set, list)
    assert [options.training_set[0].weight, options.validation_set[0].weight] == [2.0, "w"]
    told = refused(options_file("mse", "training_set: a.xyz\nvalidation_set: {weight: 2.0}\n"))
    assert "validation_set.systems: missing key; 'weight' needs it" in "\n".join(told)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ("-1", "options.yaml:8 training_set.weight: must be at least 0, got -1"),
        (".inf", "options.yaml:8 training_set.weight: expected a number, text, a mapping or null"),
        ("[1, 2]", "training_set.weight: expected a number, text, a mapping or null, got a list"),
        ("''", "options.yaml:8 training_set.weight: '' should be non-empty"),
        ("{keys: w}", "options.yaml:8 training_set.weight.keys: unknown key; did you mean 'key'?"),
    ],
)
def test_weights_of_data_sets_that_make_no_sense_are_refused(
    refused: Refused, weight: str, message: str
) -> None:
    data = "training_set:\n  systems: a.xyz\n  targets: {energy: {}}\n"
    text = options_file("mse", f"{data}  weight: {weight}\nvalidation_set: 0.1\n")
    assert any(message in line for line in refused(text)), refused(text)


def test_the_options_of_the_documentation_are_read(read: Reader, root: Path, toy: Any) -> None:
    page = (root / "docs" / "src" / "losses.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(snippets) == 7
    for snippet in snippets:
        if snippet.startswith("training_set"):
            read(options_file("mse", snippet))
        else:
            training = "".join(f"    {line}\n" for line in snippet.splitlines())
            read(f"architecture:\n  name: soap_bpnn\n  training:\n{training}{DATA}")
