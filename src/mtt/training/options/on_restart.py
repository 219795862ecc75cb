"""What a training that is resumed can take from changed options, and what it cannot."""

from __future__ import annotations

from typing import Literal

When = Literal["any time", "from here", "before the first step"]

ACTS: dict[str, When] = {
    # how long the training is, what is written down of it, and on which hardware it runs
    "num_epochs": "any time",
    "max_time": "any time",
    "log_interval": "any time",
    "log_mae": "any time",
    "log_separate_blocks": "any time",
    "checkpoint_interval": "any time",
    "checkpoint_interval_steps": "any time",
    "checkpoint_interval_minutes": "any time",
    "keep_checkpoints": "any time",
    "num_workers": "any time",
    "deterministic": "any time",
    "distributed": "any time",
    "distributed_port": "any time",
    "tf32": "any time",
    "compile": "any time",
    # the steps, validations and stages that are still to come
    "batch_size": "from here",
    "gradient_accumulation": "from here",
    "max_atoms_per_batch": "from here",
    "min_atoms_per_batch": "from here",
    "batch_atoms": "from here",
    "augmentation": "from here",
    "stages": "from here",
    "optimizer": "from here",
    "learning_rate": "from here",
    "learning_rate_factors": "from here",
    "weight_decay": "from here",
    "scheduler": "from here",
    "warmup_fraction": "from here",
    "grad_clip_norm": "from here",
    "gradient_combination": "from here",
    "ema": "from here",
    "amp": "from here",
    "loss": "from here",
    "per_structure_targets": "from here",
    "best_model_metric": "from here",
    "extended_metrics": "from here",
    "early_stopping": "from here",
    "on_nonfinite": "from here",
    # what the first step begins with
    "atomic_baseline": "before the first step",
    "scale_targets": "before the first step",
    "fixed_scaling_weights": "before the first step",
    "prefit": "before the first step",
    "finetune": "before the first step",
}
"""Training option to the moment at which it acts. A resumed training takes a change of the first
two kinds; a change of the third, or of an option that is missing here, is refused."""

BOUND = ("name", "from")
"""Options of a stage that act when it begins."""


def refusal(path: tuple[str | int, ...], stage: int, own: frozenset[str] = frozenset()) -> str:
    """Why a resumed training cannot take a change at ``path``; empty where it can.

    :param path: keys below ``architecture.training``, of which the first is the option.
    :param stage: number of the stage that has begun last, from 0; -1 before the first one.
    :param own: options beside those of the platform that the architecture's trainer takes.
    """
    option = str(path[0])
    if option == "stages" and len(path) > 1:
        return _of_stage(path, stage)
    if option in own or ACTS.get(option) in ("any time", "from here"):
        return ""
    if option in ACTS:
        return "it acts before the first step only"
    return f"{option} is not known to act after the first step"


def _of_stage(path: tuple[str | int, ...], stage: int) -> str:
    """The same for ``stages[number]`` and what is below it."""
    number = int(path[1])
    if number < stage:
        return f"stage {number + 1} is over"
    # an entry that comes or goes is refused by the trainer, where a stage that runs needs it
    if number == stage and len(path) > 2 and path[2] in BOUND:
        return f"it acts when stage {number + 1} begins, which has happened"
    return ""
