"""Where the numbers of an input are in the training set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mtt.mlip.inputs.taking import TakesInputs
from mtt.mlip.states import STATES

if TYPE_CHECKING:
    from mtt.data import Dataset


def scale_inputs(model: TakesInputs, dataset: Dataset, names: Iterable[str]) -> None:
    """Call ``model.scale_input`` for those of ``names`` that are numbers of the data.

    Missing values do not count.
    """
    for name in names:
        if name in STATES or name not in dataset.info.extra_data:
            continue
        values = dataset.extra(name)
        known = values[values.isfinite()]
        if not len(known):
            continue
        spread = float(known.std(correction=0))
        mean = float(known.mean())
        # of values that are all the same, what is left is rounding
        same = spread <= 1e-12 * abs(mean)
        model.scale_input(name, mean, 1.0 if same or spread == 0.0 else spread)
