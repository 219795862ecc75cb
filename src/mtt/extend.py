"""What those use who write a loss, a reader, a schedule, ... in a package of theirs.

See :mod:`mtt.discovery` for how it is found. The names are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtt.data.files.reader_kind import Reader
    from mtt.data.target_kind import Axis, Block, TargetKind
    from mtt.training.averaging.kind import Average, AverageKind
    from mtt.training.losses.kind import ElementwiseLoss, SpectrumLoss
    from mtt.training.optimizers.kind import OptimizerKind
    from mtt.training.options.named_options import Option
    from mtt.training.reporting.logger_kind import LoggerKind
    from mtt.training.schedules.base import Schedule
    from mtt.training.schedules.kind import Request, ScheduleKind
    from mtt.training.schedules.options import WARMUP

__all__ = [
    "WARMUP",
    "Average",
    "AverageKind",
    "Axis",
    "Block",
    "ElementwiseLoss",
    "LoggerKind",
    "OptimizerKind",
    "Option",
    "Reader",
    "Request",
    "Schedule",
    "ScheduleKind",
    "SpectrumLoss",
    "TargetKind",
]

_HOMES = {
    "Average": "mtt.training.averaging.kind",
    "AverageKind": "mtt.training.averaging.kind",
    "Axis": "mtt.data.target_kind",
    "Block": "mtt.data.target_kind",
    "ElementwiseLoss": "mtt.training.losses.kind",
    "LoggerKind": "mtt.training.reporting.logger_kind",
    "OptimizerKind": "mtt.training.optimizers.kind",
    "Option": "mtt.training.options.named_options",
    "Reader": "mtt.data.files.reader_kind",
    "Request": "mtt.training.schedules.kind",
    "Schedule": "mtt.training.schedules.base",
    "ScheduleKind": "mtt.training.schedules.kind",
    "SpectrumLoss": "mtt.training.losses.kind",
    "TargetKind": "mtt.data.target_kind",
    "WARMUP": "mtt.training.schedules.options",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mtt.extend' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
