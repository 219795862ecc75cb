"""Errors of several runs by what structures and atoms have in common, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from mtt.report.charts.chart import with_unit
from mtt.report.charts.parity import pooled
from mtt.report.differences import winner
from mtt.report.markup import Html, element, number, run_name, table
from mtt.report.several.together import Series, Together

_MOST_ROWS = 14  # of each kind of group

Errors = dict[str, float]  # of one run, by group


def grouped_errors(found: Sequence[Series], whole: Together) -> Html | None:
    """RMSE of one quantity: all structures, then by element, group and data set.

    The best run of each row is bold where all runs are scored on the same structures. None where
    nothing divides the structures.
    """
    kinds = {
        "element": [_by_element(one, whole) for one in found],
        **_by_info(found),
        "data set": [_by_set(one, whole) for one in found],
    }
    rows = [_row("all", [one.rmse() for one in found], whole)]
    used = []
    for kind, errors in kinds.items():
        names = _largest_first(errors)
        if len(names) < 2:
            continue
        used.append(kind)
        rows += [
            _row(f"{kind} {name}", [one.get(name) for one in errors], whole)
            for name in names[:_MOST_ROWS]
        ]
        if len(names) > _MOST_ROWS:
            more = f"{len(names) - _MOST_ROWS} more with smaller errors"
            rows.append([more, *("" for _ in found)])
    if not used:
        return None
    quantity = found[0].quantity
    caption = f"RMSE of {with_unit(quantity['name'], quantity['shown'][0])} by {', '.join(used)}"
    return table(["", *(run_name(one.shown.name) for one in found)], rows, caption)


def _row(name: str, values: Sequence[float | None], whole: Together) -> list[str]:
    best = winner("RMSE", values) if whole.common else None
    cells = [
        element("b", number(value)) if i == best else number(value)
        for i, value in enumerate(values)
    ]
    return [name, *cells]


def _largest_first(errors: Sequence[Errors]) -> list[str]:
    names = dict.fromkeys(name for one in errors for name in one)
    return sorted(names, key=lambda name: -max(one.get(name, 0.0) for one in errors))


def _by_element(one: Series, whole: Together) -> Errors:
    """Of what is kept component by component; of all structures of a part, of all components."""
    kept, factor = one.shown.kept, float(one.quantity["shown"][1])
    if whole.part:
        mine = kept.arrays["part"] == kept.facts["parts"].index(whole.part)
        known = kept.facts["elements"].get(one.quantity["name"], {}).get(whole.part, {})
        if bool(one.shown.structures[mine].all()):
            return {symbol: float(rmse) * factor for symbol, (rmse, _, _) in known.items()}
    elements, errors = one.of("element"), one.errors
    found = {}
    for z in np.unique(elements[elements > 0]).tolist():
        own = errors[(elements == z) & np.isfinite(errors)]
        if len(own):
            found[chemical_symbols[z]] = float(np.sqrt(np.mean(own**2)))
    return found


def _by_info(found: Sequence[Series]) -> dict[str, list[Errors]]:
    """By the keys of the files that divide the structures of some run."""
    keys: Mapping[str, list[Errors]] = {
        group["name"]: [{} for _ in found]
        for one in found
        for group in one.shown.kept.facts.get("groups", ())
    }
    for place, one in enumerate(found):
        for i, group in enumerate(one.shown.kept.facts.get("groups", ())):
            codes = one.shown.kept.arrays[f"group/{i}"]
            keys[group["name"]][place] |= dict(_pooled(one, codes, group["values"]))
    return dict(keys)


def _by_set(one: Series, whole: Together) -> Errors:
    """By data set where the part has several, else by file."""
    kept = one.shown.kept
    names = kept.facts["sets"].get(whole.part, [])
    if len(names) > 1:
        return dict(_pooled(one, kept.arrays["set"].astype(int), names))
    return dict(_pooled(one, kept.arrays["source"], kept.facts["files"]))


def _pooled(one: Series, codes: Any, names: Sequence[str]) -> Iterator[tuple[str, float]]:
    for code, name in enumerate(names):
        pair = list(pooled(one.shown.kept, one.number, (codes == code) & one.shown.structures))
        if pair:
            yield name, pair[0]
