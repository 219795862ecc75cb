"""SIGKILL in the middle of a save: a valid checkpoint remains, and the run goes on from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

SLOW_WRITER = Path(__file__).resolve().parent / "slow_writer.py"


def test_a_kill_at_any_moment_of_a_save_leaves_a_valid_checkpoint_to_resume_from(
    tiny: dict[str, Any],
    here: Path,
    forked: Callable[..., Any],
    same_outcome: Callable[[Path, Path], int],
    record_property: Callable[[str, object], None],
) -> None:
    tiny["architecture"]["training"].update(
        num_epochs=9, checkpoint_interval=1, checkpoint_interval_steps=1
    )
    done = forked(SLOW_WRITER, json.dumps(tiny), 7)
    assert done.returncode == 0, done.stderr[-3000:]
    kills = json.loads(done.stdout)
    assert len({kill["moment"] for kill in kills}) == len(kills) == 10
    for kill in kills:
        assert kill["newest"] is not None, kill
        assert kill["newest"] >= kill["finished"], kill
        assert kill["damaged"] == 0, kill
        if kill["finished best"]:
            assert kill["best"] >= kill["finished best"], kill
    assert sum(kill["temporary"] for kill in kills) >= 5, "the writer was not within a file"
    assert not list(here.rglob("*.tmp"))
    bits = same_outcome(here / "straight", here / "killed")
    record_property("kills survived", len(kills))
    record_property("bits equal to those of the undisturbed run", bits)
