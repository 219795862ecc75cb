"""Which of several processes one is, from what its launcher says; an allocation is none."""

from __future__ import annotations

import pytest

from mtt.errors import TrainingError
from mtt.processes.place import Place, first_host, place_of, quieten, speaks

TORCHRUN = {"WORLD_SIZE": "4", "RANK": "3", "MASTER_ADDR": "node7", "MASTER_PORT": "29500"}
STEP = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_STEPID": "0", "SLURM_PROCID": "0"}
BATCH = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_NPROCS": "4", "SLURM_PROCID": "0"}
SRUN = STEP | {
    "SLURM_NTASKS": "4",
    "SLURM_STEP_NUM_TASKS": "3",
    "SLURM_PROCID": "2",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
    "SLURM_STEP_NODELIST": "gpu[003-005,010]",
}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (TORCHRUN, Place(3, 4, 3, 4, "node7", 29500)),
        (TORCHRUN | {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}, (3, 4, 1, 2, "node7", 29500)),
        (SRUN, (2, 3, 1, 2, "gpu003", 15_007)),
        (SRUN | {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "5000"}, (2, 3, 1, 2, "10.0.0.1", 5000)),
        (SRUN | {"OMPI_COMM_WORLD_SIZE": "3", "PMI_SIZE": "3"}, (2, 3, 1, 2, "gpu003", 15_007)),
    ],
)
def test_torchrun_and_srun_say_the_place(
    environment: dict[str, str], expected: tuple[object, ...]
) -> None:
    assert place_of(environment) == expected
    assert not speaks(environment)
    first = environment | {"RANK": "0", "SLURM_PROCID": "0"}
    assert speaks(first)
    quieten(first)
    assert first["TORCH_CPP_LOG_LEVEL"] == "ERROR"


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
def test_a_single_process_is_alone_also_in_a_large_allocation(environment: dict[str, str]) -> None:
    given = dict(environment)
    assert place_of(given) is None
    assert speaks(given)
    quieten(given)
    assert given == environment


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"WORLD_SIZE": "2"}, "^WORLD_SIZE=2: .* one of 2, but RANK, MASTER_ADDR, MASTER_PORT is"),
        (TORCHRUN | {"RANK": "4"}, "one of 4, but RANK=4 is too large; .*`env -u WORLD_SIZE"),
        ({"OMPI_COMM_WORLD_SIZE": "4"}, "^OMPI_COMM_WORLD_SIZE=4: .* one of 4 of MPI.*--nproc N"),
        ({"PMI_SIZE": "4", "PMI_RANK": "1"}, "^PMI_SIZE=4: "),
        (STEP | {"SLURM_NTASKS": "3"}, "^SLURM_NTASKS=3: .* its number or its nodes"),
        (BATCH | {"SLURM_PROCID": "2"}, "^SLURM_PROCID=2: .* one of 4 tasks"),
    ],
)
def test_a_place_that_is_not_known_is_refused_by_the_variable(
    environment: dict[str, str], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        place_of(environment)


@pytest.mark.parametrize(
    ("nodes", "host"),
    [
        ("node7", "node7"),
        ("node7,node9", "node7"),
        ("gpu[003-005,010],login1", "gpu003"),
        ("gpu[7,9]", "gpu7"),
        ("rack[1-2]n3", "rack1n3"),
        ("a-b.c[01-02]", "a-b.c01"),
        ("", ""),
    ],
)
def test_the_first_of_a_list_of_nodes(nodes: str, host: str) -> None:
    assert first_host(nodes) == host
