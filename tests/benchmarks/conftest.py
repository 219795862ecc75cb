"""The modules of ``benchmarks/accuracy``, which are scripts beside each other, not a package."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ACCURACY = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "accuracy"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    monkeypatch.syspath_prepend(str(ACCURACY))
    return importlib.import_module
