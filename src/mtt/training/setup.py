"""What all stages of a training share, from its options and data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import torch

from mtt.baselines.prior.culprit import check_molecules
from mtt.data import Dataset, Loader, merge
from mtt.data.combine import with_targets_of
from mtt.errors import ConfigError, Problem, TrainingError
from mtt.evaluation.quantities import quantities
from mtt.interface import Run
from mtt.mlip import MLIPModel
from mtt.mlip.trainable.parameter_names import check_patterns
from mtt.training.build import make_loader, make_losses, make_stage
from mtt.training.limits import smaller_batches
from mtt.training.losses.loss import Loss
from mtt.training.optimizers import check_optimizer
from mtt.training.options.defaults import SECTION
from mtt.training.plan import StagePlan, stage_plans
from mtt.training.prefit import WHERE
from mtt.training.reporting.history_columns import Record
from mtt.training.scoring.best import BestRule
from mtt.training.scoring.label_noise import label_noise
from mtt.training.scoring.validation import Validation, metric_names, named
from mtt.training.stage import Stage
from mtt.training.state import TrainingState

_NUM_WORKERS = "num_workers is not used: batches are gathered without worker processes"


class TrainingSetup:
    """Plans, data and losses of a training; the rest is built from them when it is needed.

    The model may change its device and precision until then.

    :raises ConfigError: options that are wrong, or do not fit the data.
    :raises TrainingError: there is nothing to train or to validate on.
    """

    def __init__(
        self,
        hypers: Mapping[str, Any],
        run: Run,
        model: MLIPModel,
        train_datasets: Sequence[Dataset],
        val_datasets: Sequence[Dataset],
    ) -> None:
        self.hypers = hypers
        self.model = model
        self.plans = stage_plans(hypers)
        self._seed, self.ranks = run.seed, run.ranks
        info = model.dataset_info
        kept = [dataset for dataset in train_datasets if len(dataset)]
        self._validation_sets = named(val_datasets, info)
        _check_there(kept, self._validation_sets)
        self.training = with_targets_of(merge(kept) if len(kept) > 1 else kept[0], info)

    @property
    def validation_sets(self) -> list[Dataset]:
        """In the order of the options."""
        return [dataset for _, dataset in self._validation_sets]

    def limit_atoms(self, atoms: int) -> None:
        """From now on, batches hold up to so many atoms, in all stages and in validation."""
        limit = {"max_atoms_per_batch": atoms}
        self.hypers = {**self.hypers, **limit}
        self.plans = [replace(one, hypers={**one.hypers, **limit}) for one in self.plans]

    @property
    def losses(self) -> list[Loss]:
        """The loss of every stage; in units of the model's scales as they are now."""
        sets = [self.training, *(dataset for _, dataset in self._validation_sets)]
        return make_losses(self.plans, self.model, sets)

    @property
    def judged(self) -> Loss:
        """What epochs are compared by: the loss of the last stage with its final weights."""
        return self.losses[-1].final()

    @property
    def validation(self) -> Validation:
        """All validation sets, one structure after the other.

        :raises DataError: a structure that the prior does not know; names file and frame.
        """
        for _, dataset in self._validation_sets:
            check_molecules(self.model.prior, dataset)
        loaders = [
            (name, self.loader(self.hypers, dataset, shuffle=False))
            for name, dataset in self._validation_sets
        ]
        extended = self.hypers["extended_metrics"]
        remedy = partial(smaller_batches, self.hypers)
        info = self.model.dataset_info
        return Validation(loaders, self.judged, info, extended, remedy, ranks=self.ranks)

    @property
    def best_rule(self) -> BestRule:
        """Which epoch is best.

        :raises ConfigError: no such metric, or one that no validation structure has a label for.
        """
        rule = self._rule
        rule.check_labels(self._unlabelled)
        return rule

    @cached_property
    def _nowhere(self) -> frozenset[str]:
        """Metrics without any label of which the training set has no label either."""
        if not self._unlabelled:
            return frozenset()
        info = self.model.dataset_info
        own = [
            f"{prefix}{metric}"
            for quantity in quantities(info, totals=False, extended=True)
            if quantity.part in ("values", "per atom")
            and bool(self.training.target(quantity.target).values.isnan().all())
            for metric in quantity.all_names
            for prefix in ("", *(f"{name} " for name in self._names))
        ]
        return self._unlabelled & frozenset(own)

    @property
    def _rule(self) -> BestRule:
        noise = label_noise(self._validation_sets, self.model)
        rule = BestRule(self.hypers, self.model.dataset_info, self.judged, self._names, noise)
        rule.leave_out(self._nowhere)
        return rule

    @property
    def notices(self) -> list[str]:
        """What to say, once: options without effect, metrics whose labels are zero or noise."""
        rule, plans = self._rule, self.plans
        metrics = [self.hypers["best_model_metric"]]
        metrics += [self.make_stage(plan).schedule.metric for plan in plans]
        found = [one for one in dict.fromkeys(map(rule.notice, metrics)) if one]
        return [_NUM_WORKERS, *found] if self.hypers["num_workers"] else found

    @property
    def record(self) -> Record:
        """Columns of the history; what may change from epoch to epoch besides."""
        hypers, losses = self.hypers, self.losses
        progress = ["stage"] if len(self.plans) > 1 else []
        counted = {"skip": ["skipped steps"], "rollback": ["rollbacks"], "stop": []}
        progress += counted[hypers["on_nonfinite"]]
        weights = {frozenset((term.name, term.weight) for term in loss.terms) for loss in losses}
        scheduled = any(term.schedule is not None for loss in losses for term in loss.terms)
        if len(weights) > 1 or scheduled:
            progress += [f"weight {term.name}" for term in losses[0].terms]
        extended, log_mae = hypers["extended_metrics"], hypers["log_mae"]
        return Record(self.model.dataset_info, log_mae, extended, self._names, progress)

    @cached_property
    def _unlabelled(self) -> frozenset[str]:
        """Metrics for which no validation structure has a label."""
        sets = [dataset for _, dataset in self._validation_sets]
        if all(all(one.is_complete(name)) for one in sets for name in one.info.targets):
            return frozenset()
        found = self.validation.of_labels()
        return frozenset(name for name, value in found.items() if math.isnan(value))

    @property
    def _names(self) -> list[str]:
        return [name for name, _ in self._validation_sets if name]

    def loader(self, hypers: Mapping[str, Any], dataset: Dataset, *, shuffle: bool) -> Loader:
        return make_loader(
            hypers, self.model, dataset, self._seed, shuffle=shuffle, ranks=self.ranks
        )

    def check(self, state: TrainingState) -> None:
        """Make everything once, for the errors.

        :param state: of the training that is resumed, or a fresh one.
        :raises ConfigError: options that are wrong, or do not go together.
        :raises TrainingError: the state belongs to another optimizer.
        """
        if self.hypers["prefit"] is not None:
            check_patterns(self.model, self.hypers["prefit"]["parameters"], WHERE)
        for plan in self.plans:
            stage = self.make_stage(plan)
            if plan.number == state.stage and "optimizer" in state.parts:
                check_optimizer(stage.step.optimizer, state.parts["optimizer"])
        _ = self.best_rule

    def make_stage(self, plan: StagePlan) -> Stage:
        """The stage of ``plan``, fresh.

        :raises ConfigError: options that are wrong, or do not go together.
        """
        loss = self.losses[plan.number]
        stage = make_stage(plan, self.model, self.training, loss, self._seed, self.ranks)
        if stage.schedule.metric:
            rule, extended = self._rule, self.hypers["extended_metrics"]
            known = metric_names(self.model.dataset_info, extended, self._names)
            unlabelled = self._unlabelled | rule.products_with(self._unlabelled)
            stage.schedule.check_metrics([*known, *rule.product_names], unlabelled)
        return stage


def check_resumable(
    state: TrainingState, plans: Sequence[StagePlan], known: torch.dtype, dtype: torch.dtype
) -> None:
    """Whether a training that has begun can go on: its stage is there, and its precision.

    :param known: of the weights in the checkpoint.
    :param dtype: to go on in; moments of another one would be rounded, or fit no weight.
    :raises ConfigError: it cannot.
    """
    problems = []
    if state.stage >= len(plans):
        what = f"the checkpoint is in stage {state.stage + 1}, the options have {len(plans)}"
        hint = "restart with the stages that the run began with"
        problems.append(Problem(what, f"{SECTION}.stages", hint))
    if state.has_begun and known != dtype:
        what = f"the run trains in {8 * known.itemsize} bits, not in {8 * dtype.itemsize}"
        hint = f"set base_precision: {8 * known.itemsize}, or fine-tune instead of restarting"
        problems.append(Problem(what, "base_precision", hint))
    if problems:
        raise ConfigError.collect(problems)


def one_device(devices: Sequence[torch.device]) -> torch.device:
    """The device to train on.

    :raises ConfigError: several of them.
    """
    if len(devices) != 1:
        raise ConfigError(
            f"training on {len(devices)} devices is not available yet",
            where=f"{SECTION}.distributed",
            hint="give one device",
        )
    return devices[0]


def _check_there(training: Sequence[Dataset], validation: Sequence[tuple[str, Dataset]]) -> None:
    if not training:
        raise TrainingError("there are no structures in the training set")
    if not validation:
        raise TrainingError(
            "there are no structures in the validation set",
            hint="the best epoch is chosen by the validation set",
        )
