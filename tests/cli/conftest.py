"""Commands run in this process, in an empty folder; one model is trained for all tests."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def in_an_empty_folder(here: Path) -> None:
    """Every test runs in one."""


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., io.StringIO]:
    """``terminal(width)``: what is printed from now on, as a terminal of that width gets it."""
    from rich.console import Console

    from mtt.cli.render import terminal as rendering

    def make(width: int, is_terminal: bool = True) -> io.StringIO:
        screen = io.StringIO()
        console = Console(
            file=screen, force_terminal=is_terminal, width=width, color_system=None, _environ={}
        )
        monkeypatch.setattr(rendering, "_shared", [console])
        return screen

    return make
