"""Two processes train together, and end together: with a model, or with one message that says why.

The processes of all cases are started at once, by ``scenarios.py``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from mtt.checkpoint import read


class Ended(NamedTuple):
    """How one process has ended."""

    code: int
    seconds: float
    output: str
    folder: Path

    @property
    def errors(self) -> list[str]:
        return re.findall(r"^(?:error: |stopped ).*", self.output, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def ended(
    tmp_path_factory: pytest.TempPathFactory, tiny_options: dict[str, Any], ethanol: Path
) -> Callable[[str], list[Ended]]:
    """``ended(scenario)``: how the processes of a pair have ended, by rank."""
    folder = tmp_path_factory.mktemp("pairs")
    given = tmp_path_factory.mktemp("given")
    (given / "ethanol.xyz").write_text(ethanol.read_text())
    options = json.loads(json.dumps(tiny_options))
    options["training_set"]["systems"]["read_from"] = "ethanol.xyz"
    options["architecture"]["training"]["batch_size"] = 5
    (given / "options.yaml").write_text(yaml.safe_dump(options))
    script = str(Path(__file__).with_name("scenarios.py"))
    done = subprocess.run(
        [sys.executable, script, str(folder), str(given / "options.yaml")],
        capture_output=True,
        text=True,
        timeout=900,  # a loaded machine takes long
    )
    assert done.returncode == 0, done.stderr
    ends = json.loads((folder / "ends.json").read_text())

    def of(scenario: str) -> list[Ended]:
        places = {rank: folder / scenario / rank for rank in sorted(ends[scenario])}
        return [
            Ended(*ends[scenario][rank], (place / "output.txt").read_text(), place)
            for rank, place in places.items()
        ]

    return of


def files(folder: Path) -> set[str]:
    return {one.name for one in folder.rglob("*") if one.is_file() and not one.is_symlink()}


def last_checkpoint(one: Ended) -> dict[str, Any]:
    (path,) = one.folder.glob("outputs/*/*/checkpoints/last.ckpt")
    return read(path)


def test_the_first_of_two_processes_prints_and_writes_what_one_does(
    ended: Callable[[str], list[Ended]],
) -> None:
    first, second = ended("ends well")
    assert (first.code, second.code) == (0, 0)
    assert "\n2 ranks share every batch: 5 structures, 2.5 on each rank\n" in first.output
    assert "errors on the test set:" in first.output
    assert second.output == ""
    assert {"model.pt", "model.ckpt", "train.log", "last.ckpt"} <= files(first.folder)
    assert files(second.folder) == {"output.txt"}


@pytest.mark.parametrize(
    ("scenario", "codes", "speaks", "message"),
    [
        ("rank 1 raises", (1, 70), 1, "a bug in mtt or .* ValueError: the head of H is not there"),
        ("rank 1 is killed", (1, -9), 0, "another rank has ended: .* it was killed, as by the"),
        ("rank 0 is killed", (-9, 1), 1, "rank 1 on .*: another rank has ended: .* was killed"),
        (
            "rank 1 lacks memory",
            (1, 1),
            1,
            "batch_size: rank 1 on .*: no memory is left for",
        ),
        ("rank 1 hangs", (1, 1), 0, r"rank 1: no sign of life for 15 s \(rank_timeout\)"),
        (
            "rank 1 is asked to stop",
            (143, 143),
            0,
            "stopped by SIGTERM in epoch 1 and saved",
        ),
        ("rank 1 has other weights", (1, 1), 0, "in epoch 1 the weights of rank 1 have become"),
        ("a wrong option", (1, 1), 0, "batch_sise=3: unknown key; did you mean 'batch_size'"),
        ("other options", (1, 1), 0, "training.batch_size: rank 1 on .* has 3, rank 0 has 5; give"),
        ("other data", (1, 1), 0, "training and validation data: rank 1 on .* has .*, rank 0 has"),
        ("missing data", (1, 1), 1, "training_set.systems.read_from: rank 1 on .*no such file"),
        ("rank 1 does not come", (1,), 0, "1 of 2 processes are here after 2 s; rank 1 is missing"),
    ],
)
def test_all_end_soon_with_the_one_message_of_the_rank_that_knows(
    ended: Callable[[str], list[Ended]],
    scenario: str,
    codes: tuple[int, ...],
    speaks: int,
    message: str,
) -> None:
    found = ended(scenario)
    assert tuple(one.code for one in found) == codes
    said = [(rank, error) for rank, one in enumerate(found) for error in one.errors]
    assert [rank for rank, _ in said] == [speaks], said
    assert re.search(message, said[0][1])
    if scenario.startswith("rank") and len(found) == 2:  # it has trained
        assert abs(found[0].seconds - found[1].seconds) < 30
    else:
        assert files(found[0].folder) == {"output.txt"}, "nothing half made"


def test_each_rank_says_where_it_is_when_one_hangs(ended: Callable[[str], list[Ended]]) -> None:
    waits, hangs = ended("rank 1 hangs")
    assert re.search(r"rank 0 on .* waits for the others, since \d+ s; it is here", waits.output)
    assert "in all_reduce" in waits.output
    assert re.search(r"rank 1 on .* does not answer, since \d+ s; it is here", hangs.output)
    assert re.search(r"scenarios.py\", line \d+ in fail", hangs.output)


@pytest.mark.parametrize(
    ("scenario", "batch"), [("rank 1 lacks memory", 1), ("rank 1 is asked to stop", 2)]
)
def test_all_save_together_what_they_have_in_common(
    ended: Callable[[str], list[Ended]], scenario: str, batch: int
) -> None:
    first, _ = ended(scenario)
    state = last_checkpoint(first)["trainer_state"]
    assert (state["epoch"], state["batch"]) == (0, batch)
    assert "rank 1" in state["meter"]
