"""The trainings of ``ranks_exact.py``: one for each technique, and the data that they need."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import ase.io
import numpy as np
from ranks import SMALL

from mtt.options.yaml.overrides import deep_merge

DATA = Path(__file__).resolve().parent.parent / "examples" / "data" / "ethanol.xyz"
FRAMES, MORE, ATOMS = 26, 120, 9
SCARCE, HEAD = 910_000, 290_000  # bytes; a second head needs more of them
ONLY_IN = (3, 4, 11)  # frames of gappy.xyz that have the second energy


SIZES = {
    "density_messages": SMALL,
    "pet": {
        **dict.fromkeys(("d_pet", "d_node", "d_head", "d_feedforward"), 8),
        "num_heads": 2,
        "num_attention_layers": 1,
    },
}


class Case(NamedTuple):
    """A training.

    :param training: options of it, beside the number and the size of batches.
    :param rest: other options, laid over those of :func:`options`.
    :param architecture: name.
    :param memory: bytes that the last one of several ranks believes to have; None: what it has.
    :param scripted: L-BFGS evaluates its closures along a path that is written down, and what
        they give is compared.
    """

    training: Mapping[str, Any]
    rest: Mapping[str, Any] = {}
    architecture: str = "density_messages"
    memory: int | None = None
    scripted: bool = False


ADAM = {"optimizer": "adam"}
LBFGS = {"optimizer": "lbfgs", "grad_clip_norm": None, "ema": False}
INPUTS = {
    "architecture": {"model": {"inputs": ["charge", "spin_multiplicity", "heat", "site"]}},
    "training_set": {
        "systems": {"read_from": "labelled.xyz"},
        "extra_data": {
            "charge": {"key": "charge"},
            "spin_multiplicity": {"key": "spin"},
            "heat": {"key": "heat"},
            "site": {"key": "site", "sample_kind": "atom"},
        },
    },
}
PET_INPUTS = {
    "architecture": {"model": {"inputs": ["charge", "spin_multiplicity"]}},
    "training_set": {
        "systems": {"read_from": "labelled.xyz"},
        "extra_data": {"charge": {"key": "charge"}, "spin_multiplicity": {"key": "spin"}},
    },
}
VECTOR = {"key": "mu", "unit": "e*Å", "type": {"cartesian": {"rank": 1}}}
TENSOR = {"key": "alpha", "type": {"cartesian": {"rank": 2, "symmetric": True}}}
OF_ATOMS = {
    "key": "coefficients",
    "sample_kind": "atom",
    "type": {"spherical": {"irreps": [{"o3_lambda": 0, "num": 2}, {"o3_lambda": 1}]}},
}
POINTS = 12  # of the spectra
SHIFTED = {"type": "shift_agnostic_mse", "int_weight": 1.0, "grad_penalty_weight": 1e-2}


def of_targets(**targets: Any) -> dict[str, Any]:
    """Options of a training on targets of labelled.xyz, beside the energy."""
    named = {f"mtt::{name}": target for name, target in targets.items()}
    return {"training_set": {"systems": {"read_from": "labelled.xyz"}, "targets": named}}


TWO = {
    "targets": {
        "energy": {"forces": True},
        "energy/second": {"key": "second", "quantity": "energy", "unit": "eV", "forces": False},
    }
}
TWO["targets"]["energy/second"]["stress"] = False
GAPPY = {"training_set": {"systems": {"read_from": "gappy.xyz"}, **TWO}}
LARGER = {"architecture": {"model": {"max_angular": 2}}}
SOURCES = {"source.ckpt": Case(ADAM), "larger.ckpt": Case(ADAM, LARGER)}
"""Trainings whose checkpoints are fine-tuned."""
FINETUNE = {"read_from": "source.ckpt"}
HEIR = {"energy/new": {"key": "energy", "quantity": "energy", "unit": "eV", "stress": False}}

CASES = {
    "the default options: `soap`, averaged weights, clipping": Case({}),
    "`optimizer: soap` for 60 steps": Case({"optimizer": "soap", "num_epochs": 15, "ema": False}),
    "`optimizer: adam`, a sum of terms": Case(ADAM),
    "`gradient_combination: config`": Case({**ADAM, "gradient_combination": "config"}),
    "`grad_clip_norm`": Case({**ADAM, "grad_clip_norm": 0.01}),
    "`ema`": Case({**ADAM, "ema": {"decay": 0.9}}),
    "`schedulefree_adamw`": Case({"optimizer": "schedulefree_adamw", "ema": False}),
    "`muon`": Case({"optimizer": "muon"}),
    "`lbfgs`: losses and gradients of its closures": Case(LBFGS, scripted=True),
    "`lbfgs`: a training": Case(LBFGS),
    "`prefit`": Case({**ADAM, "prefit": {"parameters": ["heads.*"], "max_steps": 3}}),
    "`refit_baseline`": Case({**ADAM, "refit_baseline": True}),
    # up to 43 atoms, for 20 steps an epoch; the last rank has memory for some more than 30 of them,
    # and so each has memory for its share
    "`batch_atoms: auto`, one rank with less memory": Case(
        {**ADAM, "batch_atoms": "auto"},
        {"training_set": {"systems": {"read_from": "more.xyz"}}},
        memory=SCARCE,
    ),
    "`max_atoms_per_batch`": Case({**ADAM, "max_atoms_per_batch": 40}),
    "`gradient_accumulation`": Case({**ADAM, "gradient_accumulation": 3}),
    "`augmentation: o3`": Case({**ADAM, "augmentation": "o3"}),
    "`scheduler: plateau`": Case({**ADAM, "scheduler": "plateau"}),
    "`on_nonfinite: rollback`": Case({**ADAM, "on_nonfinite": "rollback"}),
    "one structure in a batch: ranks without any": Case({**ADAM, "batch_size": 1}),
    "missing labels: gradients that one rank has": Case(ADAM, GAPPY),
    "missing labels, `config`": Case({**ADAM, "gradient_combination": "config"}, GAPPY),
    "missing labels, `soap`": Case({}, GAPPY),
    "fine-tuning: `full`": Case({**ADAM, "finetune": {**FINETUNE, "method": "full"}}),
    "fine-tuning: `lora`": Case(
        {**ADAM, "finetune": {**FINETUNE, "method": "lora", "config": {"rank": 2}}}
    ),
    "fine-tuning: `heads`, the head of the source has no labels": Case(
        {
            **ADAM,
            "finetune": {**FINETUNE, "method": "heads", "inherit_heads": {"energy/new": "energy"}},
        },
        {"training_set": {"targets": {"energy": None, **HEIR}}},
    ),
    "fine-tuning: `replay`, two heads, `anchor`": Case(
        {
            **ADAM,
            "finetune": {
                **FINETUNE,
                "method": "replay",
                "anchor": 0.01,
                "replay": {"data": "ethanol.xyz", "number": 9},
            },
        }
    ),
    "`inputs`: charge, spin, a number of structures, one of atoms": Case(ADAM, INPUTS),
    "`inputs` of `pet`": Case(ADAM, PET_INPUTS, "pet"),
    "vectors, tensors, coefficients of atoms": Case(
        ADAM,
        {**of_targets(mu=VECTOR, alpha=TENSOR, c=OF_ATOMS), **LARGER},
    ),
    "derivatives of a vector by positions": Case(
        ADAM, of_targets(mu={**VECTOR, "gradients": {"positions": {"key": "born"}}})
    ),
    "spectra with a mask, `shift_agnostic_mse`": Case(
        {**ADAM, "loss": {"mtt::dos": SHIFTED}},
        deep_merge(
            of_targets(dos={"key": "dos", "num_subtargets": POINTS}),
            {
                "training_set": {
                    "extra_data": {"mtt::dos_mask": {"key": "mask", "num_subtargets": POINTS}}
                }
            },
        ),
    ),
    "`compile: true`": Case({**ADAM, "compile": True}),
}
PAIRED = ("missing labels, `config`", "missing labels, `soap`")
"""Cases that are pairs already."""
CHAOTIC = ("`lbfgs`: a training",)
"""Its steps enlarge differences of rounding, whatever it is paired with."""


def options(case: Case) -> dict[str, Any]:
    """Of a training of the first frames."""
    training = {"batch_size": 5, "num_epochs": 2, "compile": False, "refit_baseline": False}
    whole = {
        "seed": 1,
        "base_precision": 64,
        "device": "cpu",
        "final_eval": False,
        "architecture": {
            "name": case.architecture,
            "model": SIZES[case.architecture],
            "training": {**training, **case.training},
        },
        "training_set": {
            "systems": {"read_from": "ethanol.xyz", "length_unit": "angstrom"},
            "targets": {"energy": {"unit": "eV", "forces": True, "stress": False}},
        },
        "validation_set": 0.2,
        "test_set": 0.0,
    }
    merged = deep_merge(whole, case.rest)
    targets = merged["training_set"]["targets"]
    merged["training_set"]["targets"] = {k: v for k, v in targets.items() if v is not None}
    return merged


def write_data(folder: Path) -> None:
    """``ethanol.xyz``, more of it, ``gappy.xyz`` with a second energy that few frames have, and
    ``labelled.xyz`` with numbers, vectors, tensors, spectra that are made up."""
    whole = DATA.read_text().splitlines()[: MORE * (ATOMS + 2)]
    (folder / "more.xyz").write_text("\n".join(whole) + "\n")
    lines = whole[: FRAMES * (ATOMS + 2)]
    (folder / "ethanol.xyz").write_text("\n".join(lines) + "\n")
    for i, first in enumerate(range(0, len(lines), ATOMS + 2)):
        second = f"{-0.3 * i}" if i in ONLY_IN else "nan"
        lines[first + 1] += f" second={second}"
    (folder / "gappy.xyz").write_text("\n".join(lines) + "\n")
    frames = ase.io.read(folder / "ethanol.xyz", ":", format="extxyz")
    random = np.random.default_rng(4)
    for i, atoms in enumerate(frames):
        made_up(atoms, i, random)
    ase.io.write(folder / "labelled.xyz", frames, format="extxyz")


def made_up(atoms: Any, i: int, random: np.random.Generator) -> None:
    """Labels and inputs of frame i; some labels are missing."""
    charges = np.where(atoms.numbers == 1, 0.2, np.where(atoms.numbers == 6, -0.1, -1.0))
    square = atoms.positions.T @ (charges[:, None] * atoms.positions)
    dos = np.exp(-0.2 * (np.arange(POINTS) - 5.0 - random.normal()) ** 2)
    missing = np.nan if i in ONLY_IN else 1.0
    atoms.info |= {
        "charge": i % 3 - 1,
        "spin": 1 + i % 2,
        "heat": float(random.normal()),
        "mu": missing * charges @ atoms.positions,
        "alpha": square.flatten(),
        "dos": dos,
        "mask": (np.arange(POINTS) < 8 + i % 4).astype(float),
    }
    atoms.arrays["site"] = random.normal(size=len(atoms))
    atoms.arrays["coefficients"] = random.normal(size=(len(atoms), 5))
    atoms.arrays["born"] = charges[:, None] * np.eye(3).flatten()


def pairs() -> Iterator[tuple[str, Case]]:
    """The cases two by two, where their options do not contradict each other."""
    every = [one for one in CASES.items() if one[0] not in (*PAIRED, *CHAOTIC)]
    for first, second in itertools.combinations(every, 2):
        both = pair(first[1], second[1])
        if both is not None:
            yield f"{first[0]} + {second[0]}", both


def pair(one: Case, other: Case) -> Case | None:
    """A training with the options of both; None where they contradict each other."""
    mine, theirs = chosen_by(one), chosen_by(other)
    clash = any(mine[key] != theirs[key] for key in mine.keys() & theirs.keys())
    clash |= len({*mine, *theirs} & {"batch_size", "max_atoms_per_batch", "batch_atoms"}) > 1
    clash |= one.architecture != other.architecture or bool(one.rest and other.rest)
    if clash:
        return None
    training, rest = {**ADAM, **mine, **theirs}, one.rest or other.rest
    if "finetune" in training:
        training["finetune"] = finetuning(training["finetune"], rest)
    memory, scripted = one.memory or other.memory, one.scripted or other.scripted
    if memory is not None and "finetune" in training:
        memory += HEAD
    return Case(training, rest, one.architecture, memory, scripted)


def chosen_by(case: Case) -> dict[str, Any]:
    """The options of a training that its technique is about.

    Adam is the optimizer of those about something else: it enlarges differences least.
    """
    if case == Case({}):
        return {"optimizer": "soap"}
    if case == Case(ADAM):
        return ADAM
    return {key: value for key, value in case.training.items() if (key, value) not in ADAM.items()}


def finetuning(given: Mapping[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    """With a source of the size of the model, and replayed structures that have its inputs."""
    found = dict(given)
    if "max_angular" in rest.get("architecture", {}).get("model", {}):
        found["read_from"] = "larger.ckpt"
    data = rest.get("training_set", {})
    if "extra_data" in data and "replay" in found:
        same = {key: data[key] for key in ("systems", "extra_data")}
        found["replay"] = {**found["replay"], "data": same}
    return found
