"""What the tables know of a program that trains and predicts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from running import Finished
from systems import Data

BATCH_SIZE = 10


@dataclass(frozen=True)
class Job:
    """One training: in which folder, on what, for how many epochs."""

    folder: Path
    data: Data
    n_epochs: int
    seed: int
    threads: int


class Program(ABC):
    """A program with one choice of hypers.

    :param name: in the tables; file names are made of it.
    """

    packages: tuple[str, ...] = ()  # of its environment; none: that of this process
    environment: str = "own"  # programs with the same name share it
    epoch: str  # regular expression of the line that ends an epoch
    calculator: str  # in inside/calculators.py
    precise: str | None = None  # the one for errors, if another; energies in float64
    paced: bool = True  # False: solved in one step, in the time that it takes

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def write(self, job: Job, python: Path) -> tuple[list[str], str]:
        """Write what the training reads into the job's folder.

        :param python: interpreter of the program's environment.
        :return: the command, to be run in that folder, and the hypers as text.
        """

    @abstractmethod
    def trained(self, job: Job) -> Path:
        """The file that the calculator loads, after the training."""

    def compiled(self, job: Job, python: Path) -> tuple[list[str], Path] | None:
        """Command and result of making the fastest form for ASE; None: it is ``trained``."""
        return None

    def curve(self, job: Job, finished: Finished) -> list[list[float]]:
        """[seconds, energy RMSE per atom (meV), force RMSE (meV/Å)] of epochs; [] if not known."""
        return []

    def history(self, job: Job) -> dict[str, Any]:
        """Errors of single epochs, for ``Result.extra``; {} if not known."""
        return {}
