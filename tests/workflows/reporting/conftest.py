"""Folders of runs, copied from one tiny training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(trained: Path, here: Path) -> MakeRun:
    """``make_run("a")``: a copy of the run as ``outputs/2026-01-01/a``.

    ``epochs``: fewer rows of the history; ``without``: files that it lacks; ``replace``: pairs of
    texts in its options.
    """
    (source,) = (trained / "outputs").glob("*/*")

    def make(
        name: str,
        *,
        without: tuple[str, ...] = (),
        replace: tuple[tuple[str, str], ...] = (),
        errors: dict[str, Any] | None = None,
    ) -> Path:
        run = here / "outputs" / "2026-01-01" / name
        shutil.copytree(source, run)
        for file in without:
            path = run / file
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        options = run / "options_restart.yaml"
        for old, new in replace:
            text = options.read_text()
            assert old in text
            options.write_text(text.replace(old, new))
        if errors is not None:
            (run / "evaluation.json").write_text(json.dumps({"epoch": 2, **errors}))
        return run

    return make
