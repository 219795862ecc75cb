"""The baselines of the best weights, fitted after the last epoch to what is left over.

The average of the weights is not the average of the energies: to second order it differs from it
by the curvature of the energy times the variance of the weights, which is nearly the same for all
structures of a kind. Forces do not see a constant, so that the training hardly corrects it.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from mtt.data.labels.units import shown
from mtt.mlip import MLIPModel
from mtt.mlip.finetune.refit import add_weights
from mtt.training.losses.from_options import free_to_shift
from mtt.training.refit.residuals import residuals
from mtt.training.refit.shift import Residual, Shift, find_shift, refittable
from mtt.training.scoring.validation import Validation
from mtt.training.setup import TrainingSetup
from mtt.training.state import Best

if TYPE_CHECKING:
    from mtt.data import Dataset

log = logging.getLogger(__name__)

TABLE = "composition.values"


class Refitted(NamedTuple):
    """What came of it.

    :param best: the best weights with other baselines, and their validation; None where nothing
        was changed.
    :param facts: of what was done and what was not, in plain types; empty where nothing was tried.
    """

    best: Best | None = None
    facts: dict[str, Any] = {}


class LastFit:
    """Refits the baselines of the best weights, where the validation agrees.

    :param validation: as it scores the epochs.
    """

    def __init__(self, setup: TrainingSetup, validation: Validation) -> None:
        self._setup, self._validation = setup, validation
        self._given = setup.options.given_baselines

    def run(self, best: Best, interrupted: Callable[[], None]) -> Refitted:
        """The baselines of ``best``, which itself is not changed; all ranks call it.

        :param interrupted: called after every batch; what it raises ends the fit.
        """
        setup, options = self._setup, self._setup.options
        names = refittable(setup.model, self._given) if options.refit_baseline else []
        names = [name for name in names if name not in free_to_shift(setup.losses)]
        if names and options.finetune.read_from and options.finetune.baseline == "keep":
            log.info("the baselines stay what they are (finetune.baseline: keep)")
            return Refitted()
        if not names:
            return Refitted()
        model = copy.deepcopy(setup.model)
        model.load_state_dict(best.weights)
        left = self._left(model, names, setup.data.training, interrupted)
        found = {name: find_shift(model, name, one, self._given) for name, one in left.items()}
        shifts = {name: shift for name, shift in found.items() if shift is not None}
        worse = self._worse(model, shifts, interrupted) if shifts else {}
        taken = {name: shift for name, shift in shifts.items() if name not in worse}
        for name, shift in taken.items():
            add_weights(model, name, shift.weights)
        if not taken:
            return Refitted(None, {"not_taken": worse} if worse else {})
        return self._judged(best, model, taken, worse, interrupted)

    @property
    def _scatter(self) -> float:
        """Relative standard error of a root mean square of as many structures as validate."""
        n = sum(len(dataset) for dataset in self._setup.data.validation_sets)
        return float((2 * n) ** -0.5)

    def _judged(
        self,
        best: Best,
        model: MLIPModel,
        taken: dict[str, Shift],
        worse: dict[str, str],
        interrupted: Callable[[], None],
    ) -> Refitted:
        """Take what ``model`` has become unless its validation is clearly worse."""
        rule, info = self._setup.best_rule, model.dataset_info
        metrics = self._setup.ranks.broadcast(self._validation.run(model, interrupted))
        value = rule.value(metrics)
        if not value <= best.value + self._scatter * abs(best.value):
            why = f"{rule.metric} on the validation set would change from {best.value:.6g} to "
            why += f"{value:.6g}"
            log.info("the baselines are not refitted: %s", why)
            return Refitted(None, {"not_taken": {**worse, **dict.fromkeys(taken, why)}})
        for name, shift in taken.items():
            line = shift.line(info, name)
            log.info("after the last epoch: %s; the errors of epochs are without it", line)
        columns = self._setup.record.validated(metrics)
        facts = {
            "targets": {name: shift.to_dict(info, name) for name, shift in taken.items()},
            "best_metric": [best.value, value],
            "validation": {name: one for name, one in columns.items() if math.isfinite(one)},
            **({"not_taken": worse} if worse else {}),
        }
        table = model.state_dict()[TABLE].detach().to("cpu", copy=True)
        weights = {**best.weights, TABLE: table}
        return Refitted(replace(best, value=value, weights=weights), facts)

    def _worse(
        self, model: MLIPModel, shifts: dict[str, Shift], interrupted: Callable[[], None]
    ) -> dict[str, str]:
        """Targets whose own error on all validation structures would rise beyond their scatter."""
        info, reasons = model.dataset_info, {}
        parts = [
            self._left(model, list(shifts), data, interrupted)
            for data in self._setup.data.validation_sets
        ]
        for name, shift in shifts.items():
            rows = torch.cat([part[name].rows for part in parts])
            left = Residual(rows, torch.cat([part[name].shares for part in parts]))
            shifted = left.without(shift.weights)
            if shifted.is_worse_than(left):
                before, after = left.rmse, shifted.rmse
                unit, factor = shown(info.targets[name].unit)
                unit = unit if info.targets[name].is_mean else f"{unit or 'units'}/atom"
                reasons[name] = (
                    f"RMSE on the validation set would rise from {factor * before:.4g} to "
                    f"{factor * after:.4g} {unit}"
                )
                log.info("the baseline of %s is not refitted: %s", name, reasons[name])
        return reasons

    def _left(
        self, model: MLIPModel, names: list[str], data: Dataset, interrupted: Callable[[], None]
    ) -> dict[str, Residual]:
        setup = self._setup
        loader = setup.loader(setup.options, data, shuffle=False)
        found = residuals(model, loader, names, interrupted=interrupted, ranks=setup.ranks)
        info = model.dataset_info
        return {name: Residual.of(left, data, name, info) for name, left in found.items()}
