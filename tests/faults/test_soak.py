"""A training that is killed again and again ends as the one that was left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_training_under_random_kills_ends_bit_for_bit_as_an_undisturbed_one(
    root: Path, forked: Callable[..., Any], record_property: Callable[[str, object], None]
) -> None:
    done = forked(root / "benchmarks" / "soak.py", "--kills", 7, "--json")
    assert done.returncode in (0, 1), done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["difference"] is None
    assert sum(found["places"].values()) == found["kills"] == 7
    assert len(found["places"]) >= 2, found["places"]
    record_property("kills survived", found["kills"])
    record_property("they fell into", ", ".join(sorted(found["places"])))
