"""One of several processes does not train as if it were the only one; an allocation is none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtt.errors import TrainingError
from mtt.workflows.processes import refuse_several_processes

STEP = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_STEPID": "0", "SLURM_PROCID": "0"}
BATCH = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_NPROCS": "4", "SLURM_PROCID": "0"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"WORLD_SIZE": "2", "RANK": "0"}, r"^WORLD_SIZE=2: this process is one of 2, .*torchrun"),
        ({"WORLD_SIZE": "16", "RANK": "3"}, r"one of 16, .*`env -u WORLD_SIZE mtt train …`$"),
        ({"OMPI_COMM_WORLD_SIZE": "4"}, r"^OMPI_COMM_WORLD_SIZE=4: .*mpirun -n 1"),
        ({"PMI_SIZE": "4", "PMI_RANK": "1"}, r"^PMI_SIZE=4: "),
        (STEP | {"SLURM_NTASKS": "3", "SLURM_STEP_NUM_TASKS": "3"}, r"^SLURM_STEP_NUM_TASKS=3: "),
        (STEP | {"SLURM_NTASKS": "3"}, r"^SLURM_NTASKS=3: this process is one of 3, .*--ntasks=1"),
        ({"SLURM_STEPID": "1", "SLURM_NTASKS": "2"}, r"env -u SLURM_STEP_ID -u SLURM_STEPID -u SL"),
        (BATCH | {"SLURM_PROCID": "2"}, r"^SLURM_PROCID=2: this process is one of 4,"),
    ],
)
def test_one_of_several_is_refused_by_the_variable(
    environment: dict[str, str], expected: str
) -> None:
    with pytest.raises(TrainingError, match=expected):
        refuse_several_processes(environment)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WORLD_SIZE": "1", "RANK": "0"},
        {"WORLD_SIZE": "many", "PMI_SIZE": "", "OMPI_COMM_WORLD_SIZE": "-2"},
        BATCH,  # sbatch --ntasks=4: its script is one process
        BATCH | {"SLURM_STEP_ID": "4294967290"},  # the shell of salloc, where it is a step
        BATCH | {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "1"},  # srun --ntasks=1 in it
        STEP | {"SLURM_NTASKS": "1"},
        STEP,
    ],
)
def test_a_single_process_trains_also_in_a_large_allocation(environment: dict[str, str]) -> None:
    refuse_several_processes(environment)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tests themselves run in."""
    for name in [one for one in os.environ if one.startswith(("SLURM_", "OMPI_", "PMI_"))]:
        monkeypatch.delenv(name)


def test_training_is_refused_before_anything_is_read_and_nothing_else_is(
    tiny: dict[str, Any],
    write: Callable[..., Path],
    refused: Callable[..., str],
    mtt: Callable[..., Any],
    alone: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = write(tiny)
    monkeypatch.setenv("WORLD_SIZE", "2")
    for command in (["train", "nowhere.yaml"], ["train", options, "--dry-run"], ["train", options]):
        assert "WORLD_SIZE=2: this process is one of 2" in refused(*command)
    assert mtt("check", options).code == 0
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert mtt("train", options, "--dry-run").code == 0
