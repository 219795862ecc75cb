"""The structures that are predicted worst, and what their errors look like."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtt.report.collect import Sample
from mtt.report.kept import Kept

WORST = 20
_FAR = 15.0  # robust standard deviations: no error of a fit that is not a mistake of something
_USUAL = 4.0  # up to which the errors of a quantity are those of the others
_MAD = 1.4826  # from median of deviations to standard deviation
_MOST_ATOMS = 400  # of a structure that is drawn
_FEWEST = 20  # structures whose errors show what is usual


def worst_structures(kept: Kept, found: Sample) -> list[dict[str, Any]]:
    """The :data:`WORST` structures of all parts, the worst first, as plain values.

    Structures are ranked by their largest ratio of an error (RMSE over the components of a
    quantity) to the median error of the structures that were predicted, so that quantities of all
    units compare.
    """
    errors = structure_errors(kept)
    if not errors.size:
        return []
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = errors / np.array([[_median(one)] for one in errors])
    ratios = np.nan_to_num(ratios, nan=0.0, posinf=0.0)
    score = ratios.max(axis=0)
    far = np.stack([far_off(one) for one in errors])
    names = [one["name"] for one in kept.facts["quantities"]]
    order = np.argsort(-score, kind="stable")[:WORST]
    return [
        {
            "row": i,
            "score": float(score[i]),
            "errors": [None if np.isnan(one) else float(one) for one in errors[:, i]],
            "verdict": verdict(names, far[:, i]),
            **_drawn(found, i),
        }
        for i in order.tolist()
        if score[i] > 0
    ]


def structure_errors(kept: Kept) -> NDArray[Any]:
    """[quantities, structures] RMSE of each structure, NaN where it has no label."""
    rows = []
    for number in range(len(kept.facts["quantities"])):
        count = kept.of(number, "count")
        with np.errstate(invalid="ignore"):
            rows.append(np.sqrt(kept.of(number, "squares") / np.where(count, count, np.nan)))
    return np.array(rows)


def far_off(errors: NDArray[Any]) -> NDArray[Any]:
    """[n] how far each error is above the median, in robust standard deviations; 0 of few."""
    known = errors[np.isfinite(errors)]
    if len(known) < _FEWEST:
        return np.zeros(len(errors))
    middle = np.median(known)
    spread = _MAD * np.median(np.abs(known - middle))
    if spread <= 0:
        return np.zeros(len(errors))
    far: NDArray[Any] = np.nan_to_num((errors - middle) / spread)
    return far


def verdict(names: list[str], far: NDArray[Any]) -> str:
    """Whether the errors look like a wrong label; empty where they do not.

    :param names: of the quantities.
    :param far: of each of them, as of :func:`far_off`.
    """
    strange = [name for name, one in zip(names, far, strict=True) if one > _FAR]
    usual = [name for name, one in zip(names, far, strict=True) if one < _USUAL]
    if not strange:
        return ""
    what = " and ".join(strange)
    if usual:
        return (
            f"looks like a wrong label of {what}: off by {max(far):.0f} robust standard "
            f"deviations, while {' and '.join(usual)} fit"
        )
    return (
        f"unlike the other structures ({what} off by {max(far):.0f} robust standard deviations): "
        "a calculation that did not converge, or surroundings that the other data lack"
    )


def _median(errors: NDArray[Any]) -> float:
    known = errors[np.isfinite(errors)]
    return float(np.median(known)) if len(known) else float("nan")


def _drawn(found: Sample, i: int) -> dict[str, Any]:
    """The structure itself, unless it is too large to be drawn."""
    if found.n_atoms[i] > _MOST_ATOMS:
        return {"numbers": None}
    dataset, which = found.members[i]
    atoms = dataset.atoms(which)
    return {
        "numbers": atoms.numbers.tolist(),
        "positions": np.round(atoms.positions, 3).tolist(),
        "cell": np.round(np.asarray(atoms.cell), 3).tolist(),
        "pbc": atoms.pbc.tolist(),
        "length_unit": dataset.info.length_unit,
        "formula": atoms.get_chemical_formula(),
    }
