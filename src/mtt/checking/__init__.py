"""What ``mtt check`` does: finds out what a target is, checks it, and reports the result."""

from mtt.checking.run import Result, check_target, place
from mtt.checking.select import Selection, refuse_for_architectures, refuse_for_options, select
from mtt.checking.target import Target, find_targets

__all__ = [
    "Result",
    "Selection",
    "Target",
    "check_target",
    "find_targets",
    "place",
    "refuse_for_architectures",
    "refuse_for_options",
    "select",
]
