"""What every architecture must do, as checks to run and as tests to inherit.

``ArchitectureTests`` needs pytest and is loaded on first use; the checks do without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mtt.testing.catalogue import CHECKS, NAMES
from mtt.testing.check import Check, Outcome
from mtt.testing.failure import CheckFailed, DoesNotApply
from mtt.testing.predictions import graph_of, predictions
from mtt.testing.running import run, run_all
from mtt.testing.subject import Subject, check_exceptions

if TYPE_CHECKING:
    from mtt.testing.suite import ArchitectureTests

__all__ = [
    "CHECKS",
    "NAMES",
    "ArchitectureTests",
    "Check",
    "CheckFailed",
    "DoesNotApply",
    "Outcome",
    "Subject",
    "check_exceptions",
    "graph_of",
    "predictions",
    "run",
    "run_all",
]


def __getattr__(name: str) -> Any:
    if name == "ArchitectureTests":
        from mtt.testing.suite import ArchitectureTests

        return ArchitectureTests
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
