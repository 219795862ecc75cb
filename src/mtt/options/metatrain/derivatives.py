"""Derivatives of targets that are not energies: Born charges of a dipole, for example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mtt.options.values import DERIVATIVES, GradientOptions, TargetOptions
from mtt.options.yaml.places import Fault, KeyPath

Section = Callable[[Any, KeyPath, str, TargetOptions], GradientOptions | None]
"""From what is written, its place, the default key and the target to a section, or None."""

WORDS = {"positions": ("forces", "gradient"), "strain": ("stress", "strain")}
"""How a derivative of an energy is called, up to sign and volume; and what ends the default key."""


def derivatives(
    value: dict[str, Any],
    path: KeyPath,
    target: TargetOptions,
    section: Section,
    faults: list[Fault],
) -> dict[str, GradientOptions | None]:
    """The sections ``positions`` and ``strain`` of ``gradients``; None where there is none.

    :param value: the target as it is written.
    :param faults: takes what is wrong with them.
    """
    found: dict[str, GradientOptions | None] = {}
    for name in DERIVATIVES:
        written, here = (value.get("gradients") or {}).get(name), (*path, "gradients", name)
        forces, ending = WORDS[name]
        own = section(written, here, "_".join(filter(None, [target.key, ending])), target)
        found[name] = own
        if own is None:
            continue
        if isinstance(written, dict) and written.get("index"):
            found[name] = replace(own, index=written["index"])
        if target.quantity == "energy" and target.sample_kind == "system":
            hint = f"write {forces} beside the key of the energy"
            faults.append(Fault(here, f"derivatives of an energy are its {forces}", hint))
        elif target.sample_kind != "system":
            what = "only values of structures have derivatives here"
            faults.append(Fault(here, what, "leave it out, or write sample_kind: system"))
    return found
