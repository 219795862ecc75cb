"""From the file to options: defaults, precedence, all mistakes at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from mtt.errors import ArchitectureError, ConfigError
from mtt.options import (
    SCHEMA_PATH,
    IndexSplit,
    Options,
    load_eval_options,
    load_options,
    peer_notice,
    resolve,
)

HEAD = "architecture: {name: soap_bpnn}\n"
DATA = "training_set: a.xyz\nvalidation_set: 0.1\n"
Reader = Callable[..., Options]
Writer = Callable[[str], Path]


def problems(read: Reader, text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, overrides)
    return str(caught.value).splitlines()


def test_precedence_is_platform_folder_file_override(read: Reader) -> None:
    text = f"architecture: {{name: soap_bpnn, training: {{num_epochs: 7}}}}\n{DATA}"
    training = read(text, ["architecture.training.log_interval=9"]).architecture["training"]
    assert training["learning_rate"] == 1e-3  # platform
    assert training["batch_size"] == 4  # folder
    assert training["num_epochs"] == 7  # file
    assert training["log_interval"] == 9  # override
    overridden = read(text, ["architecture.training.num_epochs=8"]).architecture
    assert overridden["training"]["num_epochs"] == 8


def test_hypers_are_merged_key_by_key(read: Reader) -> None:
    text = f"architecture: {{name: soap_bpnn, model: {{width: 8}}}}\n{DATA}"
    assert read(text).architecture["model"] == {"cutoff": 5.0, "width": 8, "layers": 2, "bits": 64}


def test_the_precision_of_the_model_stands_in_for_an_unset_one(read: Reader) -> None:
    assert read(HEAD + DATA).architecture["model"]["bits"] == 64
    assert read("base_precision: 32\n" + HEAD + DATA).architecture["model"]["bits"] == 32


def test_three_mistakes_make_one_report(read: Reader) -> None:
    text = (
        "architecture:\n  name: soap_bpnn\n  model:\n    cutof: 5.0\n  training:\n"
        "    num_epochs: many\nvalidation_set: 0.1\n"
    )
    assert problems(read, text) == [
        "options.yaml training_set: missing key; add 'training_set:' here",
        "options.yaml:4 architecture.model.cutof: unknown key; did you mean 'cutoff'?",
        "options.yaml:6 architecture.training.num_epochs: expected an integer, got the text 'many'",
    ]


def test_numbers_that_are_none_are_refused_with_their_line(read: Reader) -> None:
    text = (
        "seed: 010\narchitecture:\n  name: soap_bpnn\n  model: {cutoff: .nan, width: 8.0}\n"
        "  training:\n    num_epochs: 1:30\n    learning_rate: .inf\n" + DATA
    )
    places = [line.split(":")[1] for line in problems(read, text)]
    assert places == [
        "1 seed",
        "4 architecture.model.cutoff",
        "4 architecture.model.width",
        "6 architecture.training.num_epochs",
        "7 architecture.training.learning_rate",
    ]


def test_a_mistake_in_an_override_names_the_override(read: Reader) -> None:
    assert problems(read, HEAD + DATA, "architecture.model.cutof=3", "seed=x") == [
        "-r architecture.model.cutof=3: unknown key; did you mean 'cutoff'?",
        "-r seed=x: expected an integer or null, got the text 'x'",
    ]


def test_mistakes_in_a_dict_are_placed_by_their_keys(toy: Any) -> None:
    raw = load_options({"architecture": {"name": "soap_bpnn"}, "training_set": {"system": 1}})
    with pytest.raises(ConfigError) as caught:
        resolve(raw, toy)
    lines = str(caught.value).splitlines()
    assert "training_set.system: unknown key; did you mean 'systems'?" in lines
    assert "training_set.targets: missing key; add 'targets:' here" in lines


def test_a_dict_gives_the_same_options_as_a_file(read: Reader, toy: Any) -> None:
    options = {
        "seed": 1,
        "architecture": {"name": "soap_bpnn", "atomic_types": ("H", 8)},
        "training_set": {"systems": Path("a.xyz"), "targets": {"energy": {"forces": True}}},
        "validation_set": {"indices": [1]},
    }
    text = (
        "seed: 1\narchitecture: {name: soap_bpnn, atomic_types: [H, O]}\ntraining_set:\n"
        "  systems: a.xyz\n  targets: {energy: {forces: on}}\nvalidation_set: {indices: [1]}\n"
    )
    assert resolve(load_options(options), toy) == read(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "options.yaml: the options are empty"),
        ("# nothing\n", "options.yaml: the options are empty"),
        ("- a\n", "options.yaml: options are a mapping of keys to values"),
        ("just text\n", "options.yaml: options are a mapping of keys to values"),
    ],
)
def test_a_file_without_options_is_refused(write: Writer, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_options(write(text))


def test_without_a_name_everything_else_is_told_too(write: Writer) -> None:
    raw = load_options(write("architecture: {nam: x}\ntraining_set: a.xyz\n"))
    with pytest.raises(ConfigError) as caught:
        _ = raw.architecture_name
    lines = str(caught.value).splitlines()
    assert "options.yaml:1 architecture.nam: unknown key; did you mean 'name'?" in lines
    assert "options.yaml:1 architecture.name: missing key; add 'name:' here" in lines
    assert any("validation_set: missing key" in line for line in lines)


def test_errors_from_elsewhere_get_their_line_and_company(write: Writer) -> None:
    raw = load_options(write("sed: 1\narchitecture:\n  name: soup\n" + DATA))
    with pytest.raises(ArchitectureError) as caught, raw.locating():
        raise ArchitectureError("there is no 'soup'")
    assert str(caught.value).splitlines() == [
        "options.yaml:1 sed: unknown key; did you mean 'seed'?",
        "options.yaml:3 architecture.name: there is no 'soup'",
    ]
    with pytest.raises(ConfigError, match=r"options.yaml:3 architecture.name: b"), raw.locating():
        raise ConfigError("bad", where="architecture.name")
    with pytest.raises(ConfigError, match=r"other.yaml:1: bad"), raw.locating():
        raise ConfigError("bad", where="other.yaml:1")


def test_the_seed_is_drawn_once_and_written_down(read: Reader, write: Writer, toy: Any) -> None:
    options = read(HEAD + DATA)
    assert 0 <= options.seed < 2**31
    assert resolve(load_options(write(options.to_yaml())), toy).seed == options.seed


def test_options_are_frozen(read: Reader) -> None:
    options = read(HEAD + DATA)
    with pytest.raises(FrozenInstanceError):
        options.seed = 1  # type: ignore[misc]
    assert replace(options, seed=5).to_yaml().count("seed: 5") == 1


def test_resolving_twice_shares_nothing(write: Writer, toy: Any) -> None:
    raw = load_options(write(HEAD + DATA + "seed: 1\n"))
    first = resolve(raw, toy)
    first.architecture["training"]["finetune"]["config"]["x"] = 1
    first.architecture["model"]["cutoff"] = 1
    second = resolve(raw, toy)
    assert second.architecture["training"]["finetune"]["config"] == {}
    assert second.architecture["model"]["cutoff"] == 5.0


def test_text_with_a_dollar_survives_the_round(read: Reader, write: Writer, toy: Any) -> None:
    options = read(HEAD + "training_set: '\\${x}.xyz'\nvalidation_set: 0.1\n")
    assert options.training_set[0].systems.read_from == "${x}.xyz"
    assert resolve(load_options(write(options.to_yaml())), toy) == options


@pytest.mark.parametrize(
    ("types", "result"),
    [("[H, No, 6]", [1, 6, 102]), ("[8, 1]", [1, 8]), ("null", None)],
)
def test_elements_are_numbers_or_symbols(read: Reader, types: str, result: Any) -> None:
    text = f"architecture: {{name: soap_bpnn, atomic_types: {types}}}\n{DATA}"
    assert read(text).architecture["atomic_types"] == result


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ("[H, Xx]", "architecture.atomic_types[1]: 'Xx' is not an element"),
        ("[H, 1]", "architecture.atomic_types[1]: the element 1 is given twice"),
        ("[0]", "architecture.atomic_types[0]: must be at least 1, got 0"),
        ("[119]", "architecture.atomic_types[0]: must be at most 118, got 119"),
        ("H", "architecture.atomic_types: expected a list or null, got the text 'H'"),
        ("[1.0]", "expected an integer or text, got 1.0; write 1"),
    ],
)
def test_what_is_no_element_is_refused(read: Reader, types: str, message: str) -> None:
    text = f"architecture: {{name: soap_bpnn, atomic_types: {types}}}\n{DATA}"
    assert message in "\n".join(problems(read, text))


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ("training_set: a.xyz\nvalidation_set: 1.0\n", "validation_set: must be below 1, got 1.0"),
        ("training_set: a.xyz\nvalidation_set: -0.1\n", "validation_set: must be at least 0"),
        ("training_set: a.xyz\nvalidation_set: .nan\n", "numbers must be finite"),
        ("training_set: a.xyz\nvalidation_set: true\n", "validation_set: expected a number"),
        ("training_set: a.xyz\nvalidation_set: null\n", "validation_set: missing value"),
        ("training_set: a.xyz\nvalidation_set: {}\n", "validation_set: {} should be non-empty"),
        (
            "training_set: a.xyz\nvalidation_set: 0.6\ntest_set: 0.4\n",
            "validation and test take 1 of the structures",
        ),
        (
            "training_set: a.xyz\nvalidation_set: {systems: b.xyz}\n",
            "validation_set.targets: missing key; 'systems' needs it",
        ),
        (
            "training_set: a.xyz\nvalidation_set: {indices: null}\n",
            "validation_set.indices: no indices are given",
        ),
        (
            "training_set: [a.xyz, b.xyz]\nvalidation_set: {indices: [1]}\n",
            "there are 2 training sets; write indices inside each data set",
        ),
        (
            "training_set: a.xyz\nvalidation_set: {indices: [1, 1]}\n",
            "validation_set.indices: the index 1 is given twice",
        ),
        (
            "training_set: a.xyz\nvalidation_set: {indices: [-1]}\n",
            "validation_set.indices[0]: must be at least 0, got -1",
        ),
        (
            "training_set: a.xyz\nvalidation_set: {indices: nowhere.txt}\n",
            "validation_set.indices: nowhere.txt cannot be read (No such file or directory)",
        ),
        (
            "training_set: a.xyz\nvalidation_set:\n  systems: b.xyz\n  targets: {mtt::x: {}}\n",
            "options.yaml:5 validation_set.targets.mtt::x: not a target of the training set",
        ),
        (
            "training_set: {systems: a.xyz, targets: {energy: {unit: eV}}}\n"
            "validation_set: b.xyz\n",
            "validation_set.targets.energy.unit: the unit is '', elsewhere 'eV'",
        ),
        (
            "training_set:\n  systems: {read_from: a.xyz, length_unit: bohr}\n"
            "  targets: {energy: {}}\n"
            "validation_set: b.xyz\n",
            "validation_set.systems.length_unit: the unit is '', elsewhere 'bohr'",
        ),
        ("training_set: []\nvalidation_set: 0.1\n", "training_set: [] should be non-empty"),
        (
            "training_set: {systems: a.xyz, targets: {}}\nvalidation_set: 0.1\n",
            "training_set.targets: {} should be non-empty",
        ),
    ],
)
def test_sets_that_do_not_fit_are_refused(read: Reader, sets: str, message: str) -> None:
    assert message in "\n".join(problems(read, HEAD + sets))


def test_a_file_of_indices_must_hold_indices(read: Reader, tmp_path: Path) -> None:
    text = HEAD + "training_set: a.xyz\nvalidation_set: {indices: i.txt}\n"
    (tmp_path / "i.txt").write_text("1\ntwo\n-3\n1.5\n")
    found = "\n".join(problems(read, text))
    for number, word in ((2, "two"), (3, "-3"), (4, "1.5")):
        assert f"i.txt:{number}: '{word}' is not an index" in found
    (tmp_path / "i.txt").write_text("\n# none\n")
    assert "i.txt holds no index" in "\n".join(problems(read, text))
    (tmp_path / "i.txt").write_text("3\n 1 \n\n")
    assert read(text).validation_set == IndexSplit([3, 1])


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ("dipole: {}", "targets.dipole: not a quantity of metatomic; call it mtt::dipole"),
        ("enrgy: {}", "did you mean 'energy'? or call it mtt::enrgy"),
        ("forces: {}", "predicted directly, they are called non_conservative_force"),
        ("'mtt::': {}", "targets.mtt::: not a name of a target; write <domain>::<name>"),
        ("energy/: {}", "targets.energy/: not a quantity of metatomic"),
        ("heat_flux: {}", "not available yet: heat_flux is a Cartesian tensor"),
        ("{energy: {}, 'mtt::energy': {}}", "'energy' is given twice; rename one"),
        ("{charge: {}, charges: {}}", "'charge' is given twice; rename one"),
        ("energy: {per_atom: true, sample_kind: system}", "contradicts 'sample_kind: system'"),
        (
            "mtt::x: {quantity: gap, forces: on}",
            "targets.mtt::x.forces: only one energy per structure has forces, stress or virial",
        ),
        ("mtt::x: {sample_kind: atom, virial: v.xyz}", "targets.mtt::x.virial: only one energy"),
        ("energy: {num_subtargets: 0}", "num_subtargets: must be at least 1, got 0"),
        ("energy: {force: on}", "energy.force: unknown key; did you mean 'forces'?"),
        ("energy: {forces: {keys: f}}", "forces.keys: unknown key; did you mean 'key'?"),
        ("energy: {forces: 3}", "forces: expected true or false, text, a mapping or null, got 3"),
        ("energy: true", "targets.energy: expected text or a mapping, got true"),
        ("energy: {reader: asse}", "reader: expected 'ase', got the text 'asse'"),
    ],
)
def test_targets_that_make_no_sense_are_refused(read: Reader, targets: str, message: str) -> None:
    body = targets if targets.startswith("{") else f"{{{targets}}}"
    text = f"{HEAD}training_set: {{systems: a.xyz, targets: {body}}}\nvalidation_set: 0.1\n"
    assert message in "\n".join(problems(read, text))


def test_an_energy_per_atom_has_no_gradients_by_default(read: Reader) -> None:
    text = (
        f"{HEAD}training_set:\n  systems: a.xyz\n  targets:\n    energy: {{sample_kind: atom}}\n"
        "validation_set: 0.1\n"
    )
    target = read(text).training_set[0].targets["energy"]
    assert (target.forces, target.stress, target.virial) == (None, None, None)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("maee", "loss: unknown loss 'maee'; did you mean 'mae'?"),
        ("{enrgy: mae}", "loss.enrgy: not a target of the training set; did you mean 'energy'?"),
        ("{energy: {wieght: 1}}", "loss.energy.wieght: unknown key; did you mean 'weight'?"),
        ("{energy: {weight: -1}}", "loss.energy.weight: must be at least 0, got -1"),
        ("{energy: {weight: .inf}}", "loss.energy.weight: expected a number, got inf"),
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
def test_a_loss_that_makes_no_sense_is_refused(read: Reader, loss: str, message: str) -> None:
    text = (
        f"architecture: {{name: soap_bpnn, training: {{loss: {loss}}}}}\ntraining_set:\n"
        "  systems: a.xyz\n  targets: {energy: {}, 'mtt::x': {}}\nvalidation_set: 0.1\n"
    )
    assert message in "\n".join(problems(read, text))


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
def test_old_names_that_contradict_are_refused(read: Reader, training: str, message: str) -> None:
    body = training if training.startswith("{") else f"{{{training}}}"
    text = f"architecture: {{name: soap_bpnn, training: {body}}}\n{DATA}"
    assert message in "\n".join(problems(read, text))


def test_a_trainer_of_its_own_gets_its_options_as_they_are(read: Reader, own_toy: Any) -> None:
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
    read: Reader, toy: Any
) -> None:
    toy.schema = None
    toy.default_hypers["training"]["own"] = 1
    text = "architecture: {name: x, model: {free: 1}, training: {own: 2, num_epoch: 3}}\n" + DATA
    (problem,) = problems(read, text)
    assert problem.endswith("training.num_epoch: unknown key; did you mean 'num_epochs'?")


def test_a_misspelt_keyword_of_a_schema_is_the_architectures_error(read: Reader, toy: Any) -> None:
    toy.schema["properties"]["model"]["properties"]["cutoff"]["exclusiveMinimun"] = 0
    with pytest.raises(ArchitectureError, match=r"exclusiveMinimun: unknown keyword; did you mean"):
        read(HEAD + DATA)


def test_a_model_option_can_be_refused_as_not_available(read: Reader) -> None:
    text = f"architecture: {{name: soap_bpnn, model: {{long_range: true}}}}\n{DATA}"
    (problem,) = problems(read, text)
    assert "architecture.model.long_range: not available yet: long-range models" in problem


def test_names_of_metatrain_are_known_with_and_without_folder() -> None:
    for name in ("pet", "experimental.mace", "mace", "experimental.phace"):
        assert "not available here" in str(peer_notice(name))
    assert peer_notice("pett") is None


def test_mistakes_of_evaluation_options_are_told_together(write: Writer) -> None:
    path = write("- systems: a.xyz\n  target: {}\n- targets: {energy: {keyy: 1}}\n")
    with pytest.raises(ConfigError) as caught:
        load_eval_options(path)
    assert str(caught.value).splitlines() == [
        "options.yaml:2 [0].target: unknown key; did you mean 'targets'?",
        "options.yaml:3 [1].systems: missing key; add 'systems:' here",
        "options.yaml:3 [1].targets.energy.keyy: unknown key; did you mean 'key'?",
    ]
    with pytest.raises(ConfigError, match="nowhere: no such file"):
        load_eval_options("nowhere")


def test_evaluation_options_may_be_a_dict_or_a_list() -> None:
    one = {"systems": "a.xyz", "targets": {"energy": {}}}
    assert load_eval_options(one) == load_eval_options([one])


def test_the_schema_lies_where_editors_can_find_it() -> None:
    assert Path(SCHEMA_PATH).is_file()


def test_reading_options_imports_no_torch() -> None:
    code = "import sys, mtt.options; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
