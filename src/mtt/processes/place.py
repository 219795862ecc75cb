"""Which of several processes this one is, by what its launcher says.

Variables are those that torchrun (and Ray, Kubernetes operators, ``mtt train --nproc``) and Slurm's
``srun`` set for every process that they start:
https://docs.pytorch.org/docs/stable/elastic/run.html, https://slurm.schedmd.com/srun.html (output
environment variables). Processes of MPI have no address to meet at; they are refused.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, MutableMapping
from typing import NamedTuple

from mtt.errors import TrainingError

_MPI = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "JSM_NAMESPACE_SIZE")
"""How many processes Open MPI, MPICH and Intel MPI, MVAPICH, Spectrum MPI have started."""

_STEP = ("SLURM_STEP_ID", "SLURM_STEPID")
_NO_STEPS = ("4294967290", "4294967291", "4294967292")
"""Slurm's numbers of the interactive, the batch and the external step: shells, not tasks."""

_TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


LAUNCHED = "MTT_NPROC"
"""Variable in which ``mtt train --nproc N`` says N to the processes that it starts."""


class Place(NamedTuple):
    """One of several processes.

    :param local: number among those of this node, from 0.
    :param address: where the processes meet: a host, and a port of it.
    """

    rank: int
    size: int
    local: int
    n_local: int
    address: str
    port: int

    def __str__(self) -> str:
        return f"rank {self.rank} on {socket.gethostname()}"


def quieten(environment: MutableMapping[str, str]) -> None:
    """Keep torch's C++ parts from printing stacks where a connection ends.

    It has an effect before torch is imported. The ranks say themselves which of them has ended.
    """
    if _count(environment, "WORLD_SIZE") > 1 or _is_task_of_slurm(environment):
        environment.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")


def speaks(environment: Mapping[str, str]) -> bool:
    """Whether this process is the first of all, or the only one: it prints. Raises nothing."""
    if _count(environment, "WORLD_SIZE") > 1:
        return _count(environment, "RANK") == 0
    return not _is_task_of_slurm(environment) or _count(environment, "SLURM_PROCID") == 0


def place_of(environment: Mapping[str, str]) -> Place | None:
    """The place of this process among several; None for a process alone.

    An allocation of several tasks (``sbatch --ntasks=4``, ``salloc``) is not yet several
    processes: there is one, unless ``srun`` or ``torchrun`` starts more.

    :param environment: variables of this process: ``os.environ``.
    :raises TrainingError: variables that are missing, or contradict each other; a launcher that
        does not say where its processes meet.
    """
    if _count(environment, "WORLD_SIZE") > 1:
        return _of_torchrun(environment)
    if _is_task_of_slurm(environment):
        return _of_slurm(environment)
    if _count(environment, "SLURM_PROCID") > 0:  # outside of a step there is only the task 0
        n = _tasks(environment)
        raise TrainingError(
            f"this process is one of {n or 'several'} tasks, of a step that is not known",
            where=f"SLURM_PROCID={environment['SLURM_PROCID']}",
            hint="start with srun, or one process with `env -u SLURM_PROCID mtt train`",
        )
    for name in _MPI:
        if _count(environment, name) > 1:
            raise TrainingError(
                f"this process is one of {environment[name]} of MPI, which does not say where they "
                "meet",
                where=f"{name}={environment[name]}",
                hint="start them with `mtt train --nproc N`, torchrun or srun; one process alone "
                f"with mpirun -n 1; trainings of different options with `env -u {name} mtt train`",
            )
    return None


def _of_torchrun(environment: Mapping[str, str]) -> Place:
    missing = [name for name in _TORCHRUN if not environment.get(name, "").strip()]
    size, rank = _count(environment, "WORLD_SIZE"), _count(environment, "RANK")
    if missing or rank >= size:
        what = f"{', '.join(missing)} is missing" if missing else f"RANK={rank} is too large"
        raise TrainingError(
            f"this process is one of {size}, but {what}",
            where=f"WORLD_SIZE={size}",
            hint="start them with `mtt train --nproc N`, torchrun or srun; one process alone with "
            "`env -u WORLD_SIZE mtt train`",
        )
    local = _count(environment, "LOCAL_RANK") if "LOCAL_RANK" in environment else rank
    n_local = _count(environment, "LOCAL_WORLD_SIZE") or size
    port = _count(environment, "MASTER_PORT")
    return Place(rank, size, local, n_local, environment["MASTER_ADDR"], port)


def _is_task_of_slurm(environment: Mapping[str, str]) -> bool:
    """Whether ``srun`` has started this process together with others."""
    step = next((environment[name] for name in _STEP if name in environment), None)
    return step is not None and step not in _NO_STEPS and _tasks(environment) > 1


def _tasks(environment: Mapping[str, str]) -> int:
    # the step's own number; SLURM_NTASKS may be that of the allocation around it
    names = ("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", "SLURM_NPROCS")
    return next((n for name in names if (n := _count(environment, name))), 0)


def _of_slurm(environment: Mapping[str, str]) -> Place:
    size, rank = _tasks(environment), _count(environment, "SLURM_PROCID")
    nodes = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST", "")
    address = environment.get("MASTER_ADDR") or first_host(nodes)
    if not address or "SLURM_PROCID" not in environment or rank >= size:
        raise TrainingError(
            f"this process is one of {size} tasks of Slurm, but its number or its nodes are not "
            "known",
            where=f"SLURM_NTASKS={size}",
            hint="start with srun; SLURM_PROCID and SLURM_JOB_NODELIST, or MASTER_ADDR, must be "
            "set",
        )
    # jobs that share a node meet at different ports
    job = _count(environment, "SLURM_JOB_ID") or _count(environment, "SLURM_JOBID")
    port = _count(environment, "MASTER_PORT") or 15_000 + job % 15_000
    n_local = re.match(r"\d+", environment.get("SLURM_STEP_TASKS_PER_NODE", ""))
    local = _count(environment, "SLURM_LOCALID")
    return Place(rank, size, local, int(n_local[0]) if n_local else 1, address, port)


def first_host(nodes: str) -> str:
    """The first of Slurm's list of nodes: ``gpu[003-005,010],login1`` gives ``gpu003``."""
    found = re.match(r"([^\[,]*)(?:\[([^\],-]+)[^\]]*\]([^,\[]*))?", nodes.strip())
    return "".join(part or "" for part in found.groups()) if found else ""


def _count(environment: Mapping[str, str], name: str) -> int:
    """A count; 0 where the variable is not set, or something else."""
    text = environment.get(name, "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
