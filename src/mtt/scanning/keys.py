"""Keys in the files that are not read, and how many structures have what is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mtt.data import Dataset
from mtt.data.files.inputs import input_files
from mtt.data.files.raw_frame import RawFrame
from mtt.data.files.reader import Files
from mtt.data.labels.keys import numbers_in
from mtt.data.storage.store import is_packed
from mtt.options.tensor_files import is_tensor_file
from mtt.options.values import (
    DERIVATIVES,
    DatasetOptions,
    GradientOptions,
    SystemsOptions,
    TargetOptions,
)
from mtt.scanning.labels.free_energy import OtherEnergies
from mtt.scanning.periodicity import check_periodicity
from mtt.scanning.states import is_state
from mtt.scanning.tools.finding import Finding, Place, Severity
from mtt.scanning.tools.structures import Mask, Structures

UNUSED = "unused keys"
COVERAGE = "labels there"
_LABELS = ("energy", "force", "stress", "virial", "free_energy", "gradient", "dipole", "charge")
_ORDINARY = ("free_energy", "momenta", "tags", "initial_magmoms", "initial_charges", "magmoms")
_SHOWN = 12
_ALONE = (
    "no structure has it, so that it is learnt from its derivatives alone and its constant is not "
    "determined"
)


class Key(NamedTuple):
    """A key of a file."""

    name: str
    per_atom: bool
    shape: str  # "number", "3 numbers", "text"
    frames: tuple[int, ...]  # that have it


class _Use(NamedTuple):
    """What the options read from one file."""

    parts: set[str]
    read: set[tuple[str, bool]]  # names of keys, and whether they are per atom
    kinds: set[tuple[str, str]]  # "energy", "force", "stress", and the key of it


def check_keys(
    sets: Mapping[str, Sequence[DatasetOptions]],
    angstrom: float = 1.0,
    energies: OtherEnergies | None = None,
    visit: Callable[[str, Sequence[RawFrame]], None] | None = None,
) -> Iterator[Finding]:
    """Keys of the files that the options do not name, or that are spelt in another way.

    :param sets: options of the data sets, by part.
    :param angstrom: one Å in the unit of length of the data.
    :param energies: gets what each file holds.
    :param visit: called with each file, as it is read, and its frames.
    :raises DataError: a file cannot be read.
    """
    for path, (reader, use) in _uses(sets).items():
        part = " and ".join(sorted(use.parts))
        if is_packed(Path(path)):
            yield from _unused_in_store(path, part, use)
            continue
        frames = Files().read(path, reader)
        if visit is not None:
            visit(path, frames)
        stresses = {name for kind, name in use.kinds if kind == "stress"}
        yield from check_periodicity(part, path, frames, stresses, angstrom)
        if energies is not None:
            energies.add(path, frames, [one for part in sets.values() for one in part])
        others = []
        keys = keys_of(frames)
        names = {key.name for key in keys}
        of_atoms = {key.name for key in keys if key.per_atom}
        there = {kind for kind, name in use.kinds if name in names}
        either = _of_both(frames)
        for key in keys:
            if (key.name, key.per_atom) in use.read:
                continue
            if key.name in either and (key.name, not key.per_atom) in use.read:
                continue
            if (key.name, True) in use.read and key.name not in of_atoms:
                continue  # of atoms, given per structure: read all the same
            if energies is not None and key.name in energies.keys and "free" in key.name.lower():
                continue  # has a finding to itself where it matters
            kind = _kind(key)
            if kind:
                yield _unused(path, part, key, len(frames), kind not in there)
            else:
                others.append(key)
        yield from _others(path, part, others)


def _others(path: str, part: str, keys: Sequence[Key]) -> Iterator[Finding]:
    """One note of all keys that do not look like labels."""
    if keys:
        listed = ", ".join(repr(key.name) for key in keys[:_SHOWN])
        listed += f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
        what = f"other keys, which are not read: {listed}"
        yield Finding(UNUSED, "note", what, (Place(part, path),))


def labels_read(sets: Mapping[str, Sequence[DatasetOptions]]) -> set[str]:
    """Names of the keys of structures that the options read."""
    return {name for _, use in _uses(sets).values() for name, per_atom in use.read if not per_atom}


def check_coverage(structures: Structures) -> Iterator[Finding]:
    """Labels that some structures lack."""
    for name, info in structures.info.targets.items():
        if info.per_structure:
            missing = np.asarray(np.isnan(structures.values(name)).any(axis=1))
            yield from _missing(structures, name, missing, np.ones_like(missing))
        if info.has_strain:
            can = structures.solid | (info.strain_name == "virial")
            strain = structures.strain(name).reshape(len(structures), -1)
            missing = can & np.isnan(strain).any(axis=1)
            yield from _missing(structures, f"{info.strain_name} of {name}", missing, can)
        if info.has_forces:
            missing = np.zeros(len(structures), dtype=bool)
            for block in structures.blocks((f"forces:{name}",)):
                column = block.columns[f"forces:{name}"]
                lacks = np.asarray(np.isnan(column).reshape(len(column), -1).any(axis=1))
                missing[block.structures] = block.total(lacks.astype(np.int64)) > 0
            yield from _missing(structures, f"forces of {name}", missing, np.ones_like(missing))


def keys_of(frames: Sequence[RawFrame]) -> list[Key]:
    """All keys of a file, per structure and per atom, in the order in which they appear."""
    found: dict[tuple[str, bool], list[int]] = {}
    shapes: dict[tuple[str, bool], str] = {}
    for frame in frames:
        for per_atom, values in ((False, frame.per_structure), (True, frame.per_atom)):
            for name, value in values.items():
                key = (name, per_atom)
                if key not in found:
                    found[key] = []
                    shapes[key] = _shape(value, len(frame.numbers) if per_atom else 1)
                found[key].append(frame.number)
    return [Key(*key, shapes[key], tuple(numbers)) for key, numbers in found.items()]


def _of_both(frames: Sequence[RawFrame]) -> set[str]:
    """Names of one value that is offered per structure and per atom."""
    return {
        name
        for frame in frames
        for name, value in frame.per_atom.items()
        if frame.per_structure.get(name) is value
    }


def _shape(value: object, n: int) -> str:
    try:
        size = int(numbers_in(value).size) // max(n, 1)
    except (ValueError, TypeError):
        return "text"
    return "a number" if size == 1 else f"{size} numbers"


def _kind(key: Key) -> str:
    """``"energy"``, ``"force"`` … if a key looks like a label, by name and shape."""
    if key.shape == "text" or key.name in _ORDINARY:
        return ""
    if not key.per_atom and key.shape == "a number" and is_state(key.name):
        return ""  # not a label: mtt.scanning.states says more
    name = key.name.lower()
    kind = next(
        (
            label
            for label in _LABELS
            if name.startswith((f"{label}_", f"{label}s_")) or name.endswith((label, f"{label}s"))
        ),
        "",
    )
    expected = {"energy": ("a number", False), "force": ("3 numbers", True)}
    if kind in expected and (key.shape, key.per_atom) != expected[kind]:
        return ""
    return {"virial": "stress", "gradient": "force"}.get(kind, kind)


def _unused(path: str, part: str, key: Key, n: int, in_vain: bool) -> Finding:
    per = "atom" if key.per_atom else "structure"
    what = f"{key.name!r} ({key.shape} per {per}) is in the file and not read"
    advice = "a label that is lost? Name it in the options as the key of a target"
    if not in_vain:
        advice = "another key is read for this; is it the right one?"
    place = Place(part, path, () if len(key.frames) == n else key.frames)
    lost = in_vain and _kind(key) in ("energy", "force", "stress")
    severity: Severity = "suspicious" if lost else "note"
    return Finding(UNUSED, severity, what, (place,), len(key.frames), f"of {n} structures", advice)


def _unused_in_store(path: str, part: str, use: _Use) -> Iterator[Finding]:
    """The extra data of a packed data set, known by names of targets."""
    info = Dataset.open(path).info
    for name, target in info.targets.items():
        asked = {kind for kind, _ in use.kinds}
        kinds = [("force", "forces", target.has_forces), ("stress", "stress", target.has_strain)]
        unused = [word for kind, word, has in kinds if has and kind not in asked]
        unused = unused if (name, False) in use.read else [name]
        for word in unused:
            what = f"{word!r} is in the packed data set and not read"
            advice = "a label that is lost? Ask for it in the options"
            yield Finding(UNUSED, "suspicious", what, (Place(part, path),), None, "", advice)


def _uses(
    sets: Mapping[str, Sequence[DatasetOptions]],
) -> dict[str, tuple[str | None, _Use]]:
    """Collect what is read, by file and reader."""
    found: dict[str, tuple[str | None, _Use]] = {}

    def use(part: str, section: SystemsOptions | TargetOptions | GradientOptions) -> list[_Use]:
        used: list[_Use] = []
        if is_tensor_file(section.read_from):  # holds one target, and no keys
            return used
        for path in map(str, input_files(section.read_from)):
            used.append(found.setdefault(path, (section.reader, _Use(set(), set(), set())))[1])
            used[-1].parts.add(part)
        return used

    for part, datasets in sets.items():
        for one in datasets:
            for systems in use(part, one.systems):
                systems.read.update({(one.weight, False)} if isinstance(one.weight, str) else ())
            for name, item in (*one.targets.items(), *one.extra_data.items()):
                for known in use(part, item):
                    known.read.update({(item.key, item.sample_kind == "atom"), (name, False)})
                    known.kinds.add(("energy" if item.quantity == "energy" else "", item.key))
                for kind in ("forces", "stress", "virial"):
                    gradient = getattr(item, kind)
                    for known in use(part, gradient) if gradient is not None else ():
                        for key in (gradient.key, *gradient.others):
                            known.read.add((key, kind == "forces"))
                            known.kinds.add(("force" if kind == "forces" else "stress", key))
                for kind in DERIVATIVES:
                    section = getattr(item, kind)
                    for known in use(part, section) if section is not None else ():
                        known.read.add((section.key, kind == "positions"))
    return found


def _missing(structures: Structures, label: str, missing: Mask, of: Mask) -> Iterator[Finding]:
    if missing.any():
        n, total = int(of.sum() - missing.sum()), int(of.sum())
        what = f"{label}: {n} of {total} structures have all of it"
        if n == 0 and label in structures.energies:
            what = f"{label}: {_ALONE}"
        share = 100.0 * n / total
        yield Finding(COVERAGE, "note", what, structures.places(missing), share, "%")
