"""The conformance suite as a pytest class that authors inherit. The only module with pytest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mtt.data.info import DatasetInfo
from mtt.registry import Architecture
from mtt.testing.catalogue import CHECKS, NAMES
from mtt.testing.check import Check, Outcome
from mtt.testing.failure import CheckFailed
from mtt.testing.running import run
from mtt.testing.subject import Subject, check_exceptions


class ArchitectureTests:
    """All checks, one test each::

        class TestMine(ArchitectureTests):
            architecture = Path(__file__).parent / "my_architecture"
            model_hypers = {"width": 4}

    A test is skipped where a check does not apply, or where the model declares in
    ``__conformance_exceptions__`` that it does not promise this; the reason is shown.
    """

    architecture: ClassVar[Architecture | str | Path]
    """A folder, or a name."""

    model_hypers: ClassVar[Mapping[str, Any]] = {}
    """Laid over the defaults; small models are checked faster."""

    dataset_info: ClassVar[DatasetInfo | None] = None
    """What the models are made for; None: an energy of hydrogen, carbon and oxygen."""

    checkpoints: ClassVar[Sequence[Path] | None] = None
    """Stored ones of earlier versions; None: those in ``checkpoints/`` of the folder."""

    @pytest.mark.parametrize("check", CHECKS, ids=NAMES)
    def test_architecture(self, check: Check) -> None:
        """One promise of the architecture."""
        show(run(check, _subject(type(self))))


def show(outcome: Outcome) -> None:
    """Fail or skip the test in which a check was run, unless it passed.

    A failure says what was found, what it means and where to look.
    """
    if outcome.failure is not None:
        raise CheckFailed(
            f"{outcome.message}\nIt means: {outcome.meaning}\nWhere to look: {outcome.look}"
        ) from outcome.failure
    if outcome.status != "passed":
        details = f" ({outcome.measured})" if outcome.measured else ""
        pytest.skip(f"{outcome.status}: {outcome.message}{details}")


_subjects: dict[type[ArchitectureTests], Subject] = {}


def _subject(suite: type[ArchitectureTests]) -> Subject:
    """The subject of one class; its models are built once."""
    if suite not in _subjects:
        subject = Subject(
            suite.architecture,
            model_hypers=suite.model_hypers,
            dataset_info=suite.dataset_info,
            checkpoints=suite.checkpoints,
        )
        check_exceptions(subject, NAMES)
        _subjects[suite] = subject
    return _subjects[suite]
