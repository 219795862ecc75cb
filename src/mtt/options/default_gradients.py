"""Forces and stress by default: of which energies, and under which keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from mtt.options.values import GradientOptions, TargetOptions

DEFAULT = ("forces", "stress")


def is_energy_name(name: str) -> bool:
    """Whether a target of this name is an energy whatever is written: ``energy``, ``energy/pbe``.

    By metatomic's standard, which knows variants of a quantity after a slash.
    """
    return name.partition("/")[0] == "energy"


def default_gradient(name: str, target: TargetOptions, gradient: str) -> GradientOptions:
    """The default section of the energy ``name``.

    The target ``energy`` has its forces under ``forces``. Another energy has them under its own
    key with the word changed (``pbe_energy``: ``pbe_forces``), a variant under ``forces_pbe``,
    ``pbe_forces`` or ``forces/pbe``; or else under ``forces``.
    """
    keys = []
    if name != "energy":
        if re.search("energy", target.key, re.IGNORECASE):
            keys.append(_renamed(target.key, gradient))
        variant = name.partition("/")[2]
        if variant:
            keys += [f"{gradient}_{variant}", f"{variant}_{gradient}", f"{gradient}/{variant}"]
    keys = list(dict.fromkeys([*keys, gradient]))
    return GradientOptions(target.read_from, target.reader, keys[0], False, tuple(keys[1:]))


def without_claimed(targets: Mapping[str, TargetOptions]) -> dict[str, TargetOptions]:
    """``targets`` of one data set, where no two energies share labels by default.

    ``energy``, and a section that is written, keep their key. Another energy of the same file
    does not fall back on it, nor on one that two of them could claim.
    """
    kept = {}
    for name, target in targets.items():
        sections = {}
        for gradient in DEFAULT:
            own = getattr(target, gradient)
            if own is None or own.explicit or name == "energy":
                continue
            rivals = [
                section
                for other, rival in targets.items()
                if other != name
                and (section := getattr(rival, gradient)) is not None
                and section.read_from == own.read_from
            ]
            taken = {section.key for section in rivals}
            taken |= {key for section in rivals for key in section.others}
            keys = [key for key in (own.key, *own.others) if key not in taken]
            # without any key left, one that is looked up in vain and named in the notice
            keys = keys or [f"{gradient}_{name.rpartition('/')[2].rpartition(':')[2]}"]
            sections[gradient] = replace(own, key=keys[0], others=tuple(keys[1:]))
        kept[name] = replace(target, **sections) if sections else target
    return kept


def _renamed(key: str, gradient: str) -> str:
    """``key`` with ``gradient`` for the word energy, in its spelling."""

    def spelled(match: re.Match[str]) -> str:
        word = match.group()
        return (
            gradient.upper()
            if word.isupper()
            else gradient.capitalize()
            if word[0].isupper()
            else gradient
        )

    return re.sub("energy", spelled, key, flags=re.IGNORECASE)
