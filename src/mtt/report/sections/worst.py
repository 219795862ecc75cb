"""The structures with the largest errors, each with a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ase import units as ase_units

from mtt.report.kept import Kept
from mtt.report.markup import Html, chemical, element, joined, number, pairs, plural
from mtt.report.picture import picture

_LENGTHS = {"angstrom": 1.0, "ang": 1.0, "a": 1.0, "bohr": ase_units.Bohr, "nanometer": 10.0,
            "nm": 10.0}  # fmt: skip


def worst(kept: Kept) -> Html | None:
    """Cards of the worst structures; None without any."""
    found = kept.facts.get("worst") or []
    if not found:
        return None
    suspicious = sum(bool(one["verdict"]) for one in found)
    lead = (
        f"The {len(found)} structures with the largest errors among those that were predicted, "
        "ranked by the largest ratio of an error to its median over all structures."
    )
    if suspicious:
        lead += (
            " One of them looks like a wrong label or a failed calculation: look at it."
            if suspicious == 1
            else f" {suspicious} of them look like wrong labels or failed calculations: look at "
            "them."
        )
    cards = [_card(rank, one, kept) for rank, one in enumerate(found, start=1)]
    return joined([element("p", lead), element("div", *cards, class_="structures")])


def _card(rank: int, one: Mapping[str, Any], kept: Kept) -> Html:
    row = int(one["row"])
    file = kept.facts["files"][int(kept.arrays["source"][row])]
    frame = int(kept.arrays["frame"][row])
    place = PurePath(file).name + (f", frame {frame}" if frame >= 0 else "")
    parts = kept.facts["parts"]
    part = f", {parts[int(kept.arrays['part'][row])]}" if len(parts) > 1 else ""
    errors = {}
    for quantity, error in zip(kept.facts["quantities"], one["errors"], strict=True):
        unit, factor = quantity["shown"]
        if error is not None:
            errors[quantity["name"]] = f"{number(error * factor, 3)} {unit}"
    atoms = int(kept.arrays["n_atoms"][row])
    formula = one.get("formula")
    what = ", ".join([*([chemical(str(formula))] if formula else []), plural(atoms, "atom")])
    note = element("p", one["verdict"], class_="notice") if one["verdict"] else None
    return element(
        "article",
        _picture(one, f"{formula or what}, {place}", kept),
        element("h3", f"{rank}. {place}", title=file),
        element("div", f"{what}{part}", class_="muted"),
        pairs(errors),
        note,
        class_="structure",
    )


def _picture(one: Mapping[str, Any], label: str, kept: Kept) -> Html:
    if one.get("numbers") is None:
        return element("p", "too large to be drawn", class_="muted")
    unit = str(one.get("length_unit") or kept.facts.get("length_unit", "")).lower()
    return picture(
        one["numbers"],
        one["positions"],
        one["cell"],
        one["pbc"],
        label,
        1.0 / _LENGTHS.get(unit, 1.0),
    )
