"""Options of what a training reports and stores, and of its repeatability."""

from __future__ import annotations

from dataclasses import dataclass

from mtt.options.training.option import option


@dataclass(frozen=True)
class ReportingOptions:
    """The console, the history, the checkpoints."""

    log_interval: int = option(
        1,
        "Epochs between two lines on the console. train.csv and history.jsonl hold every epoch.",
        acts="any time",
        minimum=1,
    )
    log_mae: bool = option(
        False,
        "Report mean absolute errors in addition to root mean squared errors.",
        acts="any time",
    )
    checkpoint_interval: int | None = option(
        25,
        "Epochs between two checkpoints; null writes none by epochs. best.ckpt is written "
        "whenever an epoch is the best so far.",
        acts="any time",
        minimum=1,
    )
    checkpoint_interval_steps: int | None = option(
        None,
        "Optimizer steps between two checkpoints, within epochs too.",
        acts="any time",
        minimum=1,
    )
    checkpoint_interval_minutes: float | None = option(
        None,
        "Minutes between two checkpoints, within epochs too.",
        acts="any time",
        exclusiveMinimum=0,
    )
    keep_checkpoints: int | None = option(
        None,
        "How many epoch_N.ckpt are kept, the newest ones; null keeps all. last.ckpt and best.ckpt "
        "stay in any case.",
        acts="any time",
        minimum=0,
    )
    deterministic: bool = option(
        False,
        "Bitwise repeatable training on CUDA, somewhat slower. The CPU is repeatable anyway, for "
        "a fixed number of threads.",
        acts="any time",
    )
