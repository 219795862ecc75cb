"""What all stages of a training share, from its options and data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial

import torch

from mtt.baselines.prior.culprit import check_molecules
from mtt.data import Dataset, Loader
from mtt.errors import ConfigError
from mtt.evaluation.quantities import quantities
from mtt.graph import Graph
from mtt.interface import Run
from mtt.mlip import MLIPModel
from mtt.mlip.systems import seen_pairs
from mtt.mlip.trainable.parameter_names import check_patterns
from mtt.options.training import TrainingOptions
from mtt.options.training.batches import BatchOptions
from mtt.ranks import SerialRanks
from mtt.stopping import stop_if_asked
from mtt.training.build import make_loader, make_losses, make_stage, smaller_batches
from mtt.training.datasets import TrainingData
from mtt.training.losses.loss import Loss
from mtt.training.optimizers import check_optimizer
from mtt.training.plan import StagePlan, stage_plans
from mtt.training.prefit import WHERE, PrefitReport, prefit
from mtt.training.reporting.history_columns import Record
from mtt.training.scoring.best import BestRule
from mtt.training.scoring.label_noise import label_noise
from mtt.training.scoring.validation import Validation, metric_names
from mtt.training.stage import Stage
from mtt.training.state import TrainingState


class TrainingSetup:
    """Plans and losses of a training; the rest is built from them when it is needed.

    The scales of the model are read here, once: baselines are fitted before. Its device and
    precision may change later.

    :param by_strain: see :func:`mtt.training.losses.strain_scales.strain_scales`; where a target is
        missing, the scale of the target is taken.
    :raises ConfigError: options that are wrong, or do not fit the data.
    """

    def __init__(
        self,
        options: TrainingOptions,
        run: Run,
        model: MLIPModel,
        data: TrainingData,
        by_strain: Mapping[str, float] | None = None,
    ) -> None:
        self.options = options
        self.model = model
        self.data = data
        self.plans = stage_plans(options)
        self._seed, self.ranks = run.seed, run.ranks
        self.anchored: dict[str, torch.Tensor] = {}
        """Weights of a source by name, which ``finetune.anchor`` pulls towards."""
        self.losses: list[Loss] = make_losses(self.plans, model, data.all, by_strain or {})
        """The loss of every stage."""

    def limit_atoms(self, atoms: int) -> None:
        """Limit the atoms of later batches, in all stages and in validation."""
        self.options = replace(self.options, max_atoms_per_batch=atoms)
        self.plans = [
            replace(one, options=replace(one.options, max_atoms_per_batch=atoms))
            for one in self.plans
        ]

    @property
    def judged(self) -> Loss:
        """Loss by which epochs are compared: that of the last stage with its final weights."""
        return self.losses[-1].final()

    def make_validation(self) -> Validation:
        """All validation sets, one structure after the other.

        :raises DataError: a structure that the prior does not know; names file and frame.
        """
        for dataset in self.data.validation_sets:
            check_molecules(self.model.prior, dataset)
        loaders = [
            (name, self.loader(self.options, dataset, shuffle=False))
            for name, dataset in self.data.validation
        ]
        extended, info = self.options.extended_metrics, self.model.dataset_info
        remedy = partial(smaller_batches, self.options)
        return Validation(loaders, self.judged, info, extended, remedy, ranks=self.ranks)

    @cached_property
    def best_rule(self) -> BestRule:
        """Which epoch is best.

        :raises ConfigError: no such metric, or one that no validation structure has a label for.
        """
        self._rule.check_labels(self._unlabelled)
        return self._rule

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
            and bool(self.data.training.target(quantity.target).values.isnan().all())
            for metric in quantity.all_names
            for prefix in ("", *(f"{name} " for name in self.data.names))
        ]
        return self._unlabelled & frozenset(own)

    @cached_property
    def _rule(self) -> BestRule:
        info, noise = self.model.dataset_info, label_noise(self.data.validation, self.model)
        rule = BestRule(self.options, info, self.judged, self.data.names, noise)
        rule.leave_out(self._nowhere)
        return rule

    @property
    def notices(self) -> list[str]:
        """Notices, given once, on metrics whose labels are zero or noise."""
        metrics = [self.options.best_model_metric]
        metrics += [self.make_stage(plan).schedule.metric for plan in self.plans]
        return [one for one in dict.fromkeys(map(self._rule.notice, metrics)) if one]

    @property
    def record(self) -> Record:
        """Columns of the history, and further numbers that may change from epoch to epoch."""
        options, losses = self.options, self.losses
        progress = ["stage"] if len(self.plans) > 1 else []
        counted = {"skip": ["skipped steps"], "rollback": ["rollbacks"], "stop": []}
        progress += counted[options.on_nonfinite]
        weights = {frozenset((term.name, term.weight) for term in loss.terms) for loss in losses}
        scheduled = any(term.schedule is not None for loss in losses for term in loss.terms)
        if len(weights) > 1 or scheduled:
            progress += [f"weight {term.name}" for term in losses[0].terms]
        info, names = self.model.dataset_info, self.data.names
        return Record(info, options.log_mae, options.extended_metrics, names, progress)

    @cached_property
    def _unlabelled(self) -> frozenset[str]:
        """Metrics for which no validation structure has a label."""
        sets = self.data.validation_sets
        if all(all(one.is_complete(name)) for one in sets for name in one.info.targets):
            return frozenset()
        found = self.make_validation().of_labels()
        return frozenset(name for name, value in found.items() if math.isnan(value))

    def prefit(self) -> PrefitReport | None:
        """Fit what the option ``prefit`` names to the training set; None where it names nothing.

        :raises TrainingError: the loss or its gradient is not finite.
        """
        if self.options.prefit is None:
            return None
        loader = self.loader(self.plans[0].options, self.data.training, shuffle=False)
        given = (self.model, loader, self.losses[0].at(0), self.options.prefit)
        return prefit(*given, interrupted=stop_if_asked, ranks=self.ranks)

    def loader(self, options: BatchOptions, dataset: Dataset, *, shuffle: bool) -> Loader:
        return make_loader(
            options, self.model, dataset, self._seed, shuffle=shuffle, ranks=self.ranks
        )

    def graphs(self) -> Iterator[Graph]:
        """The whole training set on every rank: what is taken from it must be the same on all."""
        model, training, alone = self.model, self.data.training, SerialRanks()
        loader = make_loader(self.options, model, training, 0, shuffle=False, ranks=alone)
        for batch in loader.epoch():
            stop_if_asked()
            yield seen_pairs(batch.graph, model.list_cutoff(), model.cutoff)

    def check(self, state: TrainingState) -> None:
        """Make everything once, for the errors.

        :param state: of the training that is resumed, or a fresh one.
        :raises ConfigError: options that are wrong, or do not go together.
        :raises TrainingError: the state belongs to another optimizer.
        """
        if self.options.prefit is not None:
            check_patterns(self.model, self.options.prefit.parameters, WHERE)
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
        training = self.data.training
        given = (plan, self.model, training, loss, self._seed, self.ranks)
        stage = make_stage(*given, self.anchored)
        if stage.schedule.metric:
            rule, extended = self._rule, self.options.extended_metrics
            known = metric_names(self.model.dataset_info, extended, self.data.names)
            unlabelled = self._unlabelled | rule.products_with(self._unlabelled)
            stage.schedule.check_metrics([*known, *rule.product_names], unlabelled)
        return stage


def one_device(devices: Sequence[torch.device]) -> torch.device:
    """The device to train on.

    :raises ConfigError: several of them.
    """
    if len(devices) != 1:
        raise ConfigError(
            f"one process trains on one device, not on {len(devices)}",
            where="device",
            hint="start a process for each: mtt train --nproc N, torchrun or srun",
        )
    return devices[0]
