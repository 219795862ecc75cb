"""``mtt init``: what it writes trains."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.build
import ase.io
import jsonschema
import numpy as np
import pytest
import yaml

import mtt
from mtt.drafting import draft
from mtt.options.yaml.load import read_yaml

Mtt = Callable[..., Any]


def test_a_newcomers_two_commands(mtt: Mtt, here: Path, ethanol: Path) -> None:
    done = mtt("init", ethanol)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "next: mtt train options.yaml"
    lines = Path("options.yaml").read_text().splitlines()
    assert lines[0] == "# yaml-language-server: $schema=.mtt/options.schema.json"
    options = read_yaml(Path("options.yaml"))
    targets = options["training_set"]["targets"]
    assert targets["energy"]["key"] == "energy"
    assert targets["energy"]["forces"] == {"key": "forces"}
    (batch,) = [line for line in lines if "batch_size" in line]
    assert re.search(r"# structures; a step takes about \d+(\.\d)? [MG]iB of \S+ [MG]iB", batch)
    schema = json.loads(Path(".mtt/options.schema.json").read_text())
    assert list(jsonschema.Draft7Validator(schema).iter_errors(options)) == []
    assert mtt("train", "options.yaml", "--dry-run").code == 0
    before = Path("options.yaml").read_bytes()
    again = mtt("init", ethanol)
    assert again.code == 1
    assert "options.yaml: exists already; it is never overwritten: name another" in again.err
    assert Path("options.yaml").read_bytes() == before
    assert not Path("outputs").exists()


def test_epochs_fit_into_the_hours_that_are_given(here: Path, ethanol: Path) -> None:
    found = draft([str(ethanol)], hours=0.01)
    assert found.timed is not None
    assert 0.0 < found.timed.epoch < 20.0
    used = found.sizes.epochs * found.timed.epoch
    assert found.sizes.epochs == 1 or used <= 36.0
    assert f"num_epochs: {found.sizes.epochs}  # 0.01 h here" in found.text
    assert list(here.iterdir()) == [], "nothing is left of the trial"


@pytest.mark.parametrize("name", ["soap_bpnn", "pet", "experimental.linear_ace"])
def test_other_architectures_get_the_options_that_they_have(
    here: Path, ethanol: Path, name: str
) -> None:
    text = draft([str(ethanol)], architecture=name).text
    assert f"name: {name}" in text
    assert ("num_epochs" in text) == (name != "experimental.linear_ace")
    assert ("a step takes" in text) == (name != "experimental.linear_ace")
    assert ("radius: 5.0" in text) == (name == "soap_bpnn")


def test_mistakes_write_nothing(mtt: Mtt, here: Path, ethanol: Path) -> None:
    done = mtt("init", ethanol, "--architecture", "soap_bpn")
    assert "did you mean 'soap_bpnn'" in done.err
    done = mtt("init", ethanol, "-o", "nowhere/options.yaml")
    assert "nowhere/options.yaml: the folder does not exist; make it first" in done.err
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "inputs"),
    [("density_messages", ["charge", "spin_multiplicity"]), ("pet", ["charge"]), ("soap_bpnn", [])],
)
def test_charges_and_spins_that_differ_are_inputs_where_the_model_takes_them(
    here: Path, name: str, inputs: list[str]
) -> None:
    frames = []
    for i in range(8):
        atoms = ase.build.molecule("OH")
        atoms.positions += 0.02 * np.random.default_rng(i).normal(size=atoms.positions.shape)
        atoms.info = {"energy": -0.1 * i, "total_charge": i % 2 - 1, "mult": 99 - i % 2 * 98}
        frames.append(atoms)
    ase.io.write("ions.xyz", frames)
    found = draft(["ions.xyz"], architecture=name)
    options = yaml.safe_load(found.text)
    assert options["architecture"]["model"].get("inputs", []) == inputs
    keys = {"charge": "total_charge", "spin_multiplicity": "mult"}
    read = options["training_set"].get("extra_data", {})
    assert read == {one: {"key": keys[one]} for one in inputs}
    unseen = [key for one, key in keys.items() if one not in inputs]
    assert list(found.labels.states) == unseen
    assert bool(unseen) == any("the model does not see this" in one for one in found.remarks)


def test_dipoles_and_polarizabilities_are_named_as_targets(here: Path) -> None:
    frames = []
    for i in range(6):
        atoms = ase.build.molecule("OH")
        atoms.positions += 0.02 * np.random.default_rng(i).normal(size=atoms.positions.shape)
        atoms.info = {"energy": -0.1 * i, "kpts": np.ones(3), "my_dipole": i * np.ones(3)}
        atoms.info["polarizability"] = (i + 1) * np.eye(3)
        frames.append(atoms)
    ase.io.write("polar.xyz", frames)
    text = draft(["polar.xyz"], architecture="experimental.linear_ace").text
    lines = re.findall(r"# (\w+) is a tensor; to learn it too, add to targets: (.*)", text)
    assert [key for key, _ in lines] == ["my_dipole", "polarizability"]
    targets = {name: value for _, line in lines for name, value in yaml.safe_load(line).items()}
    options = yaml.safe_load(text)
    options["training_set"]["targets"] = targets
    options["architecture"] = {"name": "density_messages", "model": {"num_channels": 4}}
    mtt.train(options, dry_run=True)
    assert targets["mtt::polarizability"]["type"]["cartesian"] == {"rank": 2, "symmetric": True}


def test_single_atoms_in_another_file_are_baselines_to_choose(here: Path, ethanol: Path) -> None:
    energies = {"H": -13.5, "C": -1026.75, "O": -2037.5}
    atoms = [ase.Atoms(symbol, info={"energy": e}) for symbol, e in energies.items()]
    ase.io.write("atoms.xyz", atoms)
    name = "experimental.linear_ace"
    found = draft([str(ethanol), "atoms.xyz"], architecture=name)
    options = yaml.safe_load(found.text)
    assert options["training_set"]["systems"]["read_from"] == str(ethanol)
    assert options["training_set"]["targets"]["energy"]["forces"] == {"key": "forces"}
    (line,) = re.findall(r"# (atomic_baseline: .*)", found.text)
    assert yaml.safe_load(line) == {"atomic_baseline": {"energy": energies}}
    assert "atoms.xyz holds single atoms only, and is left out of the training" in found.remarks
    ase.io.write("atoms.xyz", atoms[:2])
    assert "atomic_baseline" not in draft([str(ethanol), "atoms.xyz"], architecture=name).text
    frames = ase.io.read(ethanol, ":12")
    ase.io.write("all.xyz", [*frames, *atoms])
    said = draft(["all.xyz"], architecture=name).remarks
    assert any("only single atoms have no 'forces': move them" in one for one in said)
