"""Whether data have the inputs that a model takes, with values that it takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from torch import Tensor

from mtt.data.batching.inputs import is_number
from mtt.errors import Problem
from mtt.mlip.inputs.taking import TakesInputs
from mtt.mlip.states import STATES

if TYPE_CHECKING:
    from mtt.data import Dataset


class Wanted(NamedTuple):
    """An input of a model.

    :param least: the least value that the model takes; ``most``, the greatest.
    :param given: whether the data that the model was trained on had it.
    """

    per_atom: bool
    least: float
    most: float
    given: bool


def wanted_inputs(model: TakesInputs) -> dict[str, Wanted]:
    """All inputs of ``model`` by name."""
    known, found = model.dataset_info.extra_data, {}
    for name, per_atom in model.all_inputs().items():
        least, most = model.input_range(name)
        found[name] = Wanted(per_atom, float(least), float(most), name in known)
    return found


def input_problems(
    dataset: Dataset, wanted: Mapping[str, Wanted], required: Collection[str]
) -> list[Problem]:
    """What is missing or out of range in ``dataset``, with file, frame and key.

    :param required: inputs that the data must have; of others, those that they have are checked.
    """
    problems: list[Problem] = []
    for name, one in wanted.items():
        extra = dataset.info.extra_data.get(name)
        if extra is None:
            if name in required and len(dataset):
                problems.append(_absent(name, one, dataset))
        elif not is_number(extra) or extra.per_atom != one.per_atom:
            kind = "atom" if one.per_atom else "structure"
            what = f"the model takes {name} as one number for each {kind}, extra_data differs"
            hint = f"write sample_kind: {'atom' if one.per_atom else 'system'}"
            problems.append(Problem(what, f"extra_data.{name}", hint))
        else:
            problems += _value_problems(name, one, dataset)
    return problems


def _absent(name: str, one: Wanted, dataset: Dataset) -> Problem:
    of_atoms = ", sample_kind: atom" if one.per_atom else ""
    return Problem(
        f"the model takes {name} as an input, and extra_data has no {name}",
        dataset.source(0),
        f"write extra_data: {{{name}: {{key: KEY{of_atoms}}}}}, with the key that the file has",
    )


def _value_problems(name: str, one: Wanted, dataset: Dataset) -> list[Problem]:
    values = dataset.extra(name)[:, 0]
    missing = values.isnan()
    found = [_missing(name, dataset, missing)]
    if name in STATES:
        broken = ~missing & (values != values.round())
        what = f"{name} is {{value:g}}, which is not a whole number"
        hint = "give the total charge in elementary charges"
        if name == "spin_multiplicity":
            hint = "give the multiplicity 2 S + 1: 1 for a singlet, 2 for a doublet"
        found.append(_first(what, hint, dataset, broken, values))
        missing |= broken
    outside = ~missing & ((values < one.least) | (values > one.most))
    what = f"{name} is {{value:g}}: the model takes {_range(one)}"
    limits = {"charge": "max_charge", "spin_multiplicity": "max_spin_multiplicity"}
    hint = f"leave these structures out; {limits.get(name)} of a new model can be larger"
    if name == "spin_multiplicity" and bool((outside & (values < one.least)).any()):
        hint = "give the multiplicity 2 S + 1: 1 for a singlet, 2 for a doublet"
    found.append(_first(what, hint, dataset, outside, values))
    return [problem for problem in found if problem is not None]


def _range(one: Wanted) -> str:
    if one.most == float("inf"):
        return f"{one.least:g} and more"
    return f"{one.least:g} to {one.most:g}"


def _missing(name: str, dataset: Dataset, missing: Tensor) -> Problem | None:
    hint = "give it for every structure, or leave those without it out"
    if name in STATES:
        hint = f"give it for every structure ({STATES[name]:g} for a neutral singlet)"
    return _first(f"{name} is missing (nan), an input of the model", hint, dataset, missing, None)


def _first(
    what: str, hint: str, dataset: Dataset, wrong: Tensor, values: Tensor | None
) -> Problem | None:
    """The first structure with a mistake, and how many have it; None without any.

    :param wrong: [n] or [all atoms] bool, the mistakes.
    :param values: likewise, the values, of which ``what`` shows the first one.
    """
    rows = wrong.nonzero()[:, 0].numpy()
    if not len(rows):
        return None
    if len(wrong) == len(dataset):  # of structures, or of single atoms
        structures = rows
    else:
        ends = dataset.n_atoms.cumsum(0).numpy()
        structures = np.searchsorted(ends, rows, side="right")
    if values is not None:
        what = what.format(value=float(values[int(rows[0])]))
    n = len(np.unique(structures))
    more = f" ({n} structures)" if n > 1 else ""
    return Problem(what + more, dataset.source(int(structures[0])), hint)
