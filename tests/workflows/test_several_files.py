"""A data set of several files: each frame stays known by file and number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtt.options import load_options, resolve
from mtt.registry import find
from mtt.workflows.run.datasets import read_data

LINES = 9 + 2  # of a frame of ethanol
Fit = Callable[..., Any]


def test_a_run_of_several_files_is_that_of_one_and_names_the_file_of_each_frame(
    tiny: dict[str, Any],
    fit: Fit,
    ethanol: Path,
    here: Path,
    history: Callable[[Any], list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny["architecture"]["training"]["num_epochs"] = 1
    whole = fit(tiny)
    numbers = [int(line) for line in (whole.path / "indices/training.txt").read_text().split()]
    lines = ethanol.read_text().splitlines(keepends=True)
    monkeypatch.setenv("PARTS", str(here / "parts"))
    (here / "parts").mkdir()
    for name, first, last in (("p2.xyz", 0, 7), ("p10.xyz", 7, 20)):
        (here / "parts" / name).write_text("".join(lines[LINES * first : LINES * last]))
    tiny["training_set"]["systems"]["read_from"] = ["${PARTS}/p*.xyz"]
    parts = fit(tiny)
    assert history(parts) == history(whole)
    text = (parts.path / "indices/training.txt").read_text()
    assert text.splitlines() == [
        f"{n}  # {here}/parts/{'p2' if n < 7 else 'p10'}.xyz, frame {n if n < 7 else n - 7}"
        for n in numbers
    ]
    # the file with comments selects the same structures, and the options of the run read back
    tiny["training_set"]["indices"] = str(parts.path / "indices/training.txt")
    raw = load_options(tiny)
    data = read_data(resolve(raw, find(raw.architecture_name).load()))
    assert set(data.indices["training"][0]) <= set(numbers)
    again = load_options(parts.options)
    assert again.sets["training_set"][0].systems.read_from == ["${PARTS}/p*.xyz"]
