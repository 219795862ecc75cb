"""The table of what vesin takes, tried with the vesin that is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

TRIED = "0.6.2"
Found = dict[str, list[list[int | None]]]


@pytest.fixture(scope="module")
def found(root: Path) -> Found:
    script = root / "tests" / "data" / "vesin_limits.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    read: Found = json.loads(done.stdout)
    return read


def test_vesin_ends_the_process_just_beyond_its_limits(found: Found) -> None:
    if version("vesin") != TRIED:
        pytest.skip(f"the limits are those of vesin {TRIED}")
    limits = {name: alone for name, (alone, _) in found.items() if name != "cells away"}
    assert limits == {name: [0, None] for name in limits}
    assert len(limits) == 7
    near, last, following = found["cells away"][0]
    assert near == last == 16
    assert following == 0  # pairs are lost, silently


def test_every_list_is_found_on_both_sides_of_the_limits_of_vesin(found: Found) -> None:
    ours = {name: pairs for name, (_, pairs) in found.items()}
    near, *far = ours.pop("cells away")
    assert far == [near, near]
    assert ours == {name: [0, 0] for name in ours}


def test_vesin_is_called_from_one_file_only(root: Path) -> None:
    files = (root / "src" / "mtt").rglob("*.py")
    assert [file.name for file in files if "import vesin" in file.read_text()] == ["finder.py"]
