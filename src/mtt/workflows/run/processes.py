"""Whether this process is one of several that a launcher started for one job.

Variables are those that torchrun, MPI (Open MPI, MPICH and Intel MPI, MVAPICH, Spectrum MPI) and
Slurm's ``srun`` set for every process that they start: https://docs.pytorch.org/docs/stable/elastic/run.html,
https://docs.open-mpi.org, https://slurm.schedmd.com/srun.html (output environment variables).
"""

from __future__ import annotations

from collections.abc import Mapping

from mtt.errors import TrainingError

_SIZES = (
    "WORLD_SIZE",
    "OMPI_COMM_WORLD_SIZE",
    "PMI_SIZE",
    "MV2_COMM_WORLD_SIZE",
    "JSM_NAMESPACE_SIZE",
)
"""How many processes there are, this one included."""

_STEP = ("SLURM_STEP_ID", "SLURM_STEPID")
_NO_STEPS = ("4294967290", "4294967291", "4294967292")
"""Slurm's numbers of the interactive, the batch and the external step: shells, not tasks."""

_HINT = (
    "training in several processes is not supported: start one ({one}); trainings that have "
    "nothing to do with each other need their own options and outputs, and `{unset} mtt train …`"
)


def refuse_several_processes(environment: Mapping[str, str]) -> None:
    """Refuse where each of several processes would train as if it were the only one.

    An allocation of several tasks (``sbatch --ntasks=4``, ``salloc``) is not yet several
    processes: there is one, unless ``srun`` or ``mpirun`` starts more.

    :param environment: variables of this process: ``os.environ``.
    :raises TrainingError: names the variable and its value, and what to do.
    """
    for name in _SIZES:
        if _number(environment, name) > 1:
            launcher = "torchrun --nproc-per-node=1" if name == "WORLD_SIZE" else "mpirun -n 1"
            raise _refusal(name, environment[name], environment[name], launcher, (name,))
    found = _slurm(environment)
    if found is not None:
        name, n = found
        unset = (*_STEP, "SLURM_PROCID")
        raise _refusal(name, environment[name], n, "srun --ntasks=1", unset)


def _slurm(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """The variable that shows several tasks of a step, and how many there are."""
    steps = [environment[name] for name in _STEP if name in environment]
    # the step's own number; SLURM_NTASKS may be that of the allocation around it
    for name in ("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", "SLURM_NPROCS"):
        n = _number(environment, name)
        if n and (steps and steps[0] not in _NO_STEPS):
            return (name, str(n)) if n > 1 else None
    # outside of a step there is only the task 0
    if _number(environment, "SLURM_PROCID") > 0:
        return "SLURM_PROCID", environment.get("SLURM_NTASKS", "several")
    return None


def _number(environment: Mapping[str, str], name: str) -> int:
    """A count; 0 where the variable is not set, or something else."""
    text = environment.get(name, "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _refusal(name: str, value: str, n: str, one: str, unset: tuple[str, ...]) -> TrainingError:
    command = " ".join(["env", *(f"-u {variable}" for variable in unset)])
    return TrainingError(
        f"this process is one of {n}, and each of them would train as if it were the only one",
        where=f"{name}={value}",
        hint=_HINT.format(one=one, unset=command),
    )
