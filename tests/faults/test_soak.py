"""A training that is killed again and again ends as the one that was left alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def test_a_training_under_random_kills_ends_bit_for_bit_as_an_undisturbed_one(
    root: Path, record_property: Callable[[str, object], None]
) -> None:
    soak = [sys.executable, str(root / "benchmarks" / "soak.py"), "--kills", "10", "--json"]
    done = subprocess.run(soak, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode in (0, 1), done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["difference"] is None
    assert sum(found["places"].values()) == found["kills"] == 10
    assert len(found["places"]) >= 3, found["places"]
    record_property("kills survived", found["kills"])
    record_property("they fell into", ", ".join(sorted(found["places"])))
