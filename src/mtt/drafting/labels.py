"""Which keys of the files are the energy, the forces and the stress; in which unit energies are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mtt.data.labels.keys import numbers_in
from mtt.drafting.content import Content
from mtt.errors import DataError, Problem
from mtt.scanning.keys import Key
from mtt.scanning.states import is_state

_NOT_TOTAL = re.compile(
    r"cut|fermi|kinetic|band|gap|homo|lumo|disp|zpv|zero_point|error|std|variance|uncert|weight|"
    r"vdw|hull|per_atom|peratom|tol"
)
_TOTAL = ("U0", "u0", "Etot", "etot", "E", "U", "E_tot", "totalenergy")
"""Names of total energies that do not hold the word."""
_NO_TARGETS = ("free_energy", "natoms", "n_atoms", "index", "id", "weight", "config_weight")
_NOT_A_PROPERTY = re.compile(r"(^|_)(time|walltime|step|seed|date|uid|cutoff|tol)(_|$)")
_HARTREE = (("Hartree", 1.0), ("eV", 27.2114), ("kcal/mol", 627.509), ("kJ/mol", 2625.50))
_LISTED = 12


@dataclass(frozen=True)
class Chosen:
    """The labels to train on.

    :param energy: key of the total energy; empty where there are forces alone, or ``scalar``.
    :param others: further keys that could be the energy.
    :param scalar: key of a number per structure, where there is neither energy nor forces.
    :param scalars: further numbers per structure, which can be targets.
    :param states: keys of charge, spin and the like.
    :param inputs: those that the model takes: ``extra_data``.
    :param remarks: what the user should know, in sentences.
    """

    energy: str = ""
    others: tuple[str, ...] = ()
    unit: str = ""
    unit_reason: str = ""
    forces: str = ""
    stress: str = ""
    virial: str = ""
    scalar: str = ""
    scalars: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def choose_labels(content: Content) -> Chosen:
    """Energy first by name, then forces and stress that are called alike.

    :raises DataError: no key can be a label, or an energy is missing in a part of the structures.
    """
    n = len(content.frames)
    remarks: list[str] = []
    numbers = [key for key in content.keys if not key.per_atom and key.shape == "a number"]
    numbers = [key for key in numbers if key.name == "energy" or _varies(content, key)]
    states = tuple(key.name for key in numbers if is_state(key.name))
    energies = sorted((key for key in numbers if _is_energy(key)), key=_rank)
    energy = energies[0].name if energies else ""
    forces = _best(_force_keys(content), energy, n, remarks, "forces")
    stress, virial = _strain(content, energy, n, remarks)
    scalars = tuple(
        key.name
        for key in numbers
        if key.name not in (energy, *states, *_NO_TARGETS)
        and len(key.frames) == n
        and not _NOT_A_PROPERTY.search(key.name.lower())
    )
    if not energy and not forces and not scalars:
        raise _no_label(content)
    if energy and len(energies[0].frames) < n:
        raise _partial(content, energies[0])
    others = _other_energies(content, [key.name for key in energies])
    remarks += _of_others(energy, others, forces)
    scalar = "" if energy or forces else scalars[0]
    if scalar:
        remarks.append(f"no energy is found: {scalar!r} is taken for the target")
    unit, reason = _energy_unit(content, energy) if energy else ("eV" if forces else "", "assumed")
    if energy:
        _tell_missing(content, energy, remarks)
    rest = tuple(name for name in scalars if name not in (scalar, *others))
    return Chosen(
        energy, others, unit, reason, forces, stress, virial, scalar, rest, states, {}, remarks
    )


def _varies(content: Content, key: Key) -> bool:
    """Whether the structures have different values; others are settings of the calculation."""
    values = (frame.per_structure.get(key.name) for frame in content.frames)
    return len({str(value) for value in values if value is not None}) > 1


def _is_energy(key: Key) -> bool:
    name = key.name.lower()
    if _NOT_TOTAL.search(name):
        return False
    return key.name in _TOTAL or "energy" in name or name.endswith(("_e", "_en"))


def _rank(key: Key) -> tuple[int, int]:
    """``energy``, then those of a reference, then others; more structures first."""
    name = key.name.lower()
    if key.name == "energy":
        rank = 0
    elif "free" in name or "formation" in name or "atomization" in name or "binding" in name:
        rank = 5
    elif "energy" in name and re.search(r"ref|dft|total|tot|scf", name):
        rank = 1
    elif name == "energy":
        rank = 2
    elif "energy" in name:
        rank = 3
    else:
        rank = 4
    return rank, -len(key.frames)


def _other_energies(content: Content, names: Sequence[str]) -> tuple[str, ...]:
    """Those of ``names`` but the first that do not hold the same numbers as the first."""
    if len(names) < 2:
        return ()

    def values(name: str) -> list[str]:
        return [str(frame.per_structure.get(name)) for frame in content.frames]

    first = values(names[0])
    return tuple(name for name in names[1:] if values(name) != first)


def _of_others(energy: str, others: Sequence[str], forces: str) -> list[str]:
    if not others:
        return []
    said = f"{energy!r} is taken for the energy; {', '.join(map(repr, others))} could be it too"
    if forces and "free_energy" in others:
        # VASP and others: energy is extrapolated to no smearing, forces are not
        said += "; where electrons are smeared, forces are the derivatives of 'free_energy'"
    return [said]


def _force_keys(content: Content) -> list[Key]:
    found = [
        key
        for key in content.keys
        if key.per_atom and key.shape == "3 numbers" and "force" in key.name.lower()
    ]
    size = 3 * int(content.n_atoms[0])
    found += [
        key  # of all atoms, in one row of the structure
        for key in content.keys
        if not key.per_atom and key.shape == f"{size} numbers" and "force" in key.name.lower()
    ]
    return found


def _strain(content: Content, energy: str, n: int, remarks: list[str]) -> tuple[str, str]:
    """Keys of stress and virial; the stress is preferred."""
    tensors = [
        key
        for key in content.keys
        if not key.per_atom and key.shape in ("9 numbers", "6 numbers") and "iel" not in key.name
    ]
    found = {
        word: [key for key in tensors if word in key.name.lower()] for word in ("stress", "virial")
    }
    if not any(found.values()):
        return "", ""
    if not content.all_periodic:
        name = next(key.name for keys in found.values() for key in keys)
        remarks.append(
            f"{name!r} is left out: structures that are not periodic in all directions have no "
            "stress; is pbc right?"
        )
        return "", ""
    stress = _best(found["stress"], energy, n, remarks, "stress")
    if stress:
        return stress, ""
    return "", _best(found["virial"], energy, n, remarks, "virial")


def _best(keys: Sequence[Key], energy: str, n: int, remarks: list[str], label: str) -> str:
    """The key that is called like the label, or like the energy; empty where none is in all."""
    stem = re.sub(r"_?energy_?", "", energy, flags=re.IGNORECASE).lower()

    def rank(key: Key) -> tuple[bool, bool, int]:
        rest = re.sub(rf"_?{label.rstrip('s')}s?_?", "", key.name, flags=re.IGNORECASE).lower()
        return rest != stem, key.name != label, len(key.name)

    whole = sorted((key for key in keys if len(key.frames) == n), key=rank)
    if keys and not whole:
        have = max(len(key.frames) for key in keys)
        remarks.append(
            f"{keys[0].name!r} is left out: only {have} of {n} structures have it; write nan where "
            "a label is missing"
        )
    if len(whole) > 1:
        names = ", ".join(repr(key.name) for key in whole[1:])
        remarks.append(f"{whole[0].name!r} is taken for the {label}; {names} could be it too")
    return whole[0].name if whole else ""


def _tell_missing(content: Content, energy: str, remarks: list[str]) -> None:
    values = _values(content, energy)
    missing = int(np.isnan(values).sum())
    if missing:
        remarks.append(f"{energy!r} is NaN, a missing label, in {missing} structures")


def _values(content: Content, key: str) -> np.ndarray:
    return np.array(
        [float(numbers_in(frame.per_structure[key]).reshape(-1)[0]) for frame in content.frames]
    )


def _energy_unit(content: Content, key: str) -> tuple[str, str]:
    """The unit in which the energies are those of all electrons, else eV, with the reason.

    The energy of a neutral atom is about -0.768745 Z^(7/3) + Z²/2 - 0.269900 Z^(5/3) hartree
    (J. Schwinger, Phys. Rev. A 24, 2353 (1981)).
    """
    energies = _values(content, key)
    atoms = np.array([_all_electrons(frame.numbers) for frame in content.frames])
    known = np.isfinite(energies) & (atoms < 0)
    if known.any():
        ratio = float(np.median(energies[known] / atoms[known]))
        for unit, factor in _HARTREE:
            if abs(ratio / factor - 1.0) < 0.12:
                return unit, f"guessed: all-electron energies in {unit} have this size"
    return "eV", "assumed: the unit of ASE; the energies are not all-electron energies"


def _all_electrons(numbers: np.ndarray) -> float:
    z = numbers.astype(float)
    return float((-0.768745 * z ** (7 / 3) + z**2 / 2 - 0.2699 * z ** (5 / 3)).sum())


def _no_label(content: Content) -> DataError:
    names = ", ".join(
        f"{key.name} ({key.shape} per {'atom' if key.per_atom else 'structure'})"
        for key in content.keys[:_LISTED]
    )
    what = "no key of the structures looks like a label"
    hint = f"the keys are {names}" if names else "the files hold positions alone"
    return DataError(what, where=", ".join(content.names), hint=hint)


def _partial(content: Content, key: Key) -> DataError:
    having = {
        (frame.file, frame.number) for frame in content.frames if key.name in frame.per_structure
    }
    lacking = [one for one in content.frames if (one.file, one.number) not in having]
    what = f"no {key.name!r} in {len(lacking)} of {len(content.frames)} structures"
    hint = "write nan where a structure has no label, or leave these structures out"
    return DataError.collect([Problem(what, lacking[0].source, hint)])
