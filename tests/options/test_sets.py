"""Data sets and targets that fit together, and those that do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtt.errors import ConfigError
from mtt.options import IndexSplit, Options, load_eval_options

HEAD = "architecture: {name: soap_bpnn}\n"
DATA = "training_set: a.xyz\nvalidation_set: 0.1\n"
Reader = Callable[..., Options]
Refused = Callable[..., list[str]]
Writer = Callable[[str], Path]


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
def test_an_unknown_element_is_refused(refused: Refused, types: str, message: str) -> None:
    text = f"architecture: {{name: soap_bpnn, atomic_types: {types}}}\n{DATA}"
    assert message in "\n".join(refused(text))


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
            "validation_set and test_set together take 1 of the structures; leave some",
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
            "training_set: a.xyz\nvalidation_set: {indices: /dev/zero}\n",
            "validation_set.indices: /dev/zero: not a regular file, but a device",
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
def test_sets_that_do_not_fit_are_refused(refused: Refused, sets: str, message: str) -> None:
    assert message in "\n".join(refused(HEAD + sets))


def test_a_file_of_indices_must_hold_indices(
    read: Reader, refused: Refused, tmp_path: Path
) -> None:
    text = HEAD + "training_set: a.xyz\nvalidation_set: {indices: i.txt}\n"
    (tmp_path / "i.txt").write_text("1\ntwo\n-3\n1.5\n")
    found = "\n".join(refused(text))
    for number, word in ((2, "two"), (3, "-3"), (4, "1.5")):
        assert f"i.txt:{number}: '{word}' is not an index" in found
    (tmp_path / "i.txt").write_text("\n# none\n")
    assert "i.txt holds no index" in "\n".join(refused(text))
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
        ("heat_flux: {}", "heat_flux is a tensor of rank 1; write type: {cartesian: {rank: 1}}"),
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
        ("energy: {reader: asse}", "reader: unknown reader 'asse'; did you mean 'ase'?"),
    ],
)
def test_targets_that_make_no_sense_are_refused(
    refused: Refused, targets: str, message: str
) -> None:
    body = targets if targets.startswith("{") else f"{{{targets}}}"
    text = f"{HEAD}training_set: {{systems: a.xyz, targets: {body}}}\nvalidation_set: 0.1\n"
    assert message in "\n".join(refused(text))


def test_an_energy_per_atom_has_no_gradients_by_default(read: Reader) -> None:
    text = (
        f"{HEAD}training_set:\n  systems: a.xyz\n  targets:\n    energy: {{sample_kind: atom}}\n"
        "validation_set: 0.1\n"
    )
    target = read(text).training_set[0].targets["energy"]
    assert (target.forces, target.stress, target.virial) == (None, None, None)


def test_mistakes_of_evaluation_options_are_reported_together(write: Writer) -> None:
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
