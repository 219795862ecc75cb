"""ASE's calculator of an exported model, with all inputs of the model."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase
import numpy as np
from metatomic_ase import (  # type: ignore[import-untyped]
    MetatomicCalculator,
    _calculator,
)
from numpy.typing import NDArray

from mtt.errors import ConfigError, did_you_mean

_Getter = Callable[[ase.Atoms], NDArray[np.float64]]


def calculator(model: str | Path, **options: Any) -> Any:
    """ASE's calculator of an exported model.

    This is ``metatomic_ase.MetatomicCalculator``, which also accepts inputs with names of the
    user's choice. Inputs of structures are read from ``atoms.info``, those of atoms from
    ``atoms.arrays``. metatomic-ase up to 0.1.4 refuses every name that is not in its tables;
    this function adds the names to the tables.

    :param model: an exported model, ``model.pt``.
    :param options: those of ``MetatomicCalculator``, such as ``device`` and ``non_conservative``.
    :raises ConfigError: ``MetatomicCalculator`` has no such option.
    """
    known_options = inspect.signature(MetatomicCalculator).parameters
    for name in options:
        if name not in known_options:
            raise ConfigError(
                f"MetatomicCalculator has no option {name!r}",
                where="mtt.calculator",
                hint=did_you_mean(name, known_options)
                or "inputs of the model are read from atoms.info and atoms.arrays",
            )
    made = MetatomicCalculator(model, **options)
    for name in made.model().requested_inputs(use_new_names=True):
        for prefix, table, getter in (
            ("ase::info::", "PER_SYSTEM_QUANTITIES", _of_structure),
            ("ase::arrays::", "PER_ATOM_QUANTITIES", _of_atoms),
        ):
            known = getattr(_calculator, table, None)  # later versions may need none
            if name.startswith(prefix) and known is not None and name not in known:
                own = name.removeprefix(prefix)
                known[name] = {"properties_name": "_", "unit": "", "getter": getter(own)}
    return made


def _of_structure(name: str) -> _Getter:
    return lambda atoms: np.array([float(atoms.info[name])])


def _of_atoms(name: str) -> _Getter:
    return lambda atoms: np.asarray(atoms.arrays[name], dtype=float)
