"""State that is needed to resume a training, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from mtt.errors import CheckpointError, Problem

STATE_VERSION = 5
"""Version of :meth:`TrainingState.to_dict`; the folders' trainers have a separate one.
2 added ``skipped``, ``skipped_in_a_row``, ``rollbacks``, ``good`` and ``batch_atoms``; 3 added
``before_refit``; 4 added ``anchor``; 5 added ``strain_scales``."""


@dataclass
class Best:
    """The best weights so far: a deep snapshot of exactly what was validated.

    :param metric: what is compared; records of different metrics are not.
    """

    metric: str
    epoch: int
    value: float
    weights: dict[str, Tensor]


@dataclass
class TrainingState:
    """Progress of a training.

    :param epoch: epochs completed.
    :param batch: batches of the running epoch that are done; 0 between epochs.
    :param epoch_steps: optimizer steps of the running epoch (skipped batches make none).
    :param step: optimizer steps since the start.
    :param history: one row of plain numbers for each completed epoch.
    :param meter: sums over the done batches of the running epoch.
    :param epoch_key: what the batches and terms of an epoch follow from; where it differs, a
        running epoch cannot be continued.
    :param stage: number of the stage that has begun, from 0; -1 before the first one.
    :param stage_start: epochs that were completed when it began.
    :param skipped: steps of the running epoch that were skipped since they were not finite.
    :param skipped_in_a_row: up to now, in whatever epoch.
    :param rollbacks: of the running stage; each one halves its learning rate.
    :param batch_atoms: what ``batch_atoms: auto`` found; a restart must not find another number.
    :param refitted: the best with the baselines that were fitted after the last epoch: what a
        checkpoint shows as the best. A restart resumes as if there had been no such fit.
    :param was_refitted: the checkpoint that the state is from showed such a best.
    :param origin: what has become of the weights: pre-fit, stages and rollbacks, for the
        provenance.
    :param parts: :meth:`Stage.state_dict` and ``rng``, as of a loaded checkpoint; the living
        stage is asked when a checkpoint is written.
    :param anchor: trained weights of a fine-tuning's source by name, where ``finetune.anchor`` asks
        for them.
    :param strain_scales: of derivatives by strain, see :mod:`mtt.training.losses.strain_scales`;
        measured once, when the training begins. Empty in trainings before version 5.
    :param good: what a rollback goes back to, see :mod:`mtt.training.recovery.rollback`; of
        the running epoch.
    """

    epoch: int = 0
    batch: int = 0
    epoch_steps: int = 0
    step: int = 0
    best: Best | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    meter: dict[str, Tensor] = field(default_factory=dict)
    epoch_key: str = ""
    stage: int = -1
    stage_start: int = 0
    origin: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)
    skipped: int = 0
    skipped_in_a_row: int = 0
    rollbacks: int = 0
    batch_atoms: int | None = None
    good: dict[str, Any] = field(default_factory=dict)
    anchor: dict[str, Tensor] = field(default_factory=dict)
    strain_scales: dict[str, float] = field(default_factory=dict)
    refitted: Best | None = None
    was_refitted: bool = False

    @property
    def shown_best(self) -> Best | None:
        """What is exported."""
        return self.best if self.refitted is None else self.refitted

    @property
    def has_begun(self) -> bool:
        return self.epoch > 0 or self.batch > 0

    def close_epoch(self) -> None:
        """The running epoch is completed."""
        self.epoch += 1
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """No batch of the running epoch is done."""
        self.batch = self.epoch_steps = self.skipped = 0
        self.meter, self.good = {}, {}

    def begin_stage(self, number: int, name: str, source: str) -> None:
        """A stage begins, with nothing of the one before but the model and the best."""
        self.stage, self.stage_start = number, self.epoch
        self.parts, self.rollbacks = {}, 0
        where = {"name": name, "from": source, "epoch": self.epoch}
        self.origin.setdefault("stages", []).append(where)

    def to_dict(self) -> dict[str, Any]:
        """Tensors and plain types; ``best`` has separate keys in a checkpoint.

        ``history`` is JSON, with Python's ``NaN`` and ``Infinity``: every float comes back.
        """
        return {
            "version": STATE_VERSION,
            "epoch": self.epoch,
            "batch": self.batch,
            "epoch_steps": self.epoch_steps,
            "step": self.step,
            "best_metric": None if self.best is None else self.best.metric,
            # one value: thousands of small ones take long to write, and to read back
            "history": json.dumps(self.history),
            "meter": dict(self.meter),
            "epoch_key": self.epoch_key,
            "stage": self.stage,
            "stage_start": self.stage_start,
            "origin": copy.deepcopy(self.origin),
            "parts": self.parts,
            "skipped": self.skipped,
            "skipped_in_a_row": self.skipped_in_a_row,
            "rollbacks": self.rollbacks,
            "batch_atoms": self.batch_atoms,
            "anchor": dict(self.anchor),
            "strain_scales": dict(self.strain_scales),
            # where it is the present state, a restart finds it again
            "before_refit": self._before_refit(),
            "good": {} if self.good.get("batch") == self.batch else self.good,
        }

    def _before_refit(self) -> dict[str, Any]:
        """What :attr:`best` differs by from :attr:`refitted`; nothing without that."""
        if self.best is None or self.refitted is None:
            return {}
        after = self.refitted.weights
        changed = {name: old for name, old in self.best.weights.items() if old is not after[name]}
        return {"value": self.best.value, "weights": changed}

    @classmethod
    def from_checkpoint(cls, checkpoint: Mapping[str, Any]) -> TrainingState:
        """The state in a checkpoint.

        :raises CheckpointError: it has none, or one that a newer mtt wrote.
        """
        values = checkpoint.get("trainer_state")
        if values is None:
            raise CheckpointError(
                "the checkpoint holds a model but no training to resume",
                hint="start from its weights with finetune.read_from",
            )
        values = dict(values)
        version = values.pop("version")
        if version > STATE_VERSION:
            raise CheckpointError(
                f"the training state has version {version}, this mtt reads up to {STATE_VERSION}",
                hint="update mtt",
            )
        best = None
        metric, history = values.pop("best_metric"), json.loads(values.pop("history"))
        _check_kinds(values)
        before = values.pop("before_refit", {})
        if metric is not None:
            best = Best(
                metric=metric,
                epoch=checkpoint["best_epoch"],
                value=before.get("value", checkpoint["best_metric"]),
                weights={**checkpoint["best_model_state_dict"], **before.get("weights", {})},
            )
        values["origin"] = {k: v for k, v in values["origin"].items() if k != "refit"}
        return cls(**values, history=history, best=best, was_refitted=bool(before))


def _check_kinds(values: Mapping[str, Any]) -> None:
    """Whether stored values are of the kinds that :meth:`TrainingState.to_dict` writes.

    :raises CheckpointError: naming those that are not.
    """
    new = TrainingState().to_dict()
    problems = []
    for name, value in values.items():
        kind = int if name == "batch_atoms" else type(new.get(name))
        left_out = name == "batch_atoms" and value is None
        if name in new and not left_out and type(value) is not kind:
            what = f"trainer_state.{name} is of type {type(value).__name__}, not {kind.__name__}"
            problems.append(Problem(what, hint="take another checkpoint of the run"))
    if problems:
        raise CheckpointError.collect(problems)
