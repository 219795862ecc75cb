"""Predictions as an extended XYZ file that ASE reads back, number for number.

Energy, forces and stress of the target ``energy`` become ``energy``, ``forces`` and
``stress``, which ASE gives to the structure's calculator. Derivatives of another target carry
its name. A virial is written beside the stress where the data speak of virials. Names keep
letters, digits and ``_``; every other run of characters becomes one ``_``:
``mtt::x`` is ``mtt_x``, ``energy/pbe`` is ``energy_pbe``. References, where they are asked for,
have these names with ``REF_`` before them: ``REF_energy``, ``REF_forces``, ``REF_energy_pbe``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import ase
import numpy as np
import torch
from numpy.typing import NDArray

from mtt.checkpoint.temporary import open_temporary
from mtt.data import Dataset
from mtt.data.info import TargetInfo
from mtt.errors import ConfigError
from mtt.evaluation.derivatives import written_derivatives
from mtt.evaluation.features import SampleKind
from mtt.evaluation.predict import Prediction
from mtt.evaluation.systems import on_device
from mtt.graph import Target

SUFFIXES = (".xyz", ".extxyz", ".mts")

# names that the format, or ASE, gives another meaning
_RESERVED = ("Lattice", "Properties", "pbc", "species", "pos", "positions", "numbers", "Z", "uid")

Columns = dict[str, NDArray[np.float64]]


def output_paths(path: str | Path, n: int) -> list[Path]:
    """Where the predictions for ``n`` data sets go: ``path``, or ``out_0.xyz``, ``out_1.xyz`` …

    :raises ConfigError: the format is not available.
    """
    folder = str(path).endswith(("/", os.sep))
    path = Path(path)
    if folder or path.suffix == ".zip" or path.is_dir():
        hint = "write to an .xyz or .mts file"
        raise ConfigError("this format is not available yet", where=str(path), hint=hint)
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"predictions are written as {', '.join(SUFFIXES)}", where=str(path))
    if n == 1:
        return [path]
    return [path.with_name(f"{path.stem}_{i}{path.suffix}") for i in range(n)]


class Writer:
    """Writes predictions as they come; a context manager.

    The file is renamed at the end; an existing file stays until then.
    On a full disk a ``ConfigError`` says so.

    :param path: the file; its folder must exist.
    :param dataset: the structures.
    :param targets: what is predicted.
    :param references: write labels beside the predictions; a part of a structure without any
        label is left out.
    :param features: what features are of, where there are some.
    :raises ConfigError: on creation, if ``path`` cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        dataset: Dataset,
        targets: Mapping[str, TargetInfo],
        *,
        references: bool = False,
        features: SampleKind = "atom",
    ) -> None:
        (self.path,) = output_paths(path, 1)
        of_pairs = [name for name, target in targets.items() if target.per_pair]
        if of_pairs:
            what = f"values of pairs of atoms ({', '.join(of_pairs)}) are written as .mts files"
            hint = f"write -o {self.path.with_suffix('.mts').name}"
            raise ConfigError(what, where=str(path), hint=hint)
        self._dataset, self._targets = dataset, targets
        self._names = _file_names(targets)
        self._references = _reference_names(self._names) if references else None
        self._of, self._outputs = features, dict[str, str]()
        try:
            self._temporary, self._file = open_temporary(self.path, "x")
        except OSError as error:
            folder = self.path.parent
            raise ConfigError(
                f"cannot be written: {error.strerror}",
                where=str(self.path),
                hint="" if folder.is_dir() else f"there is no folder {folder}",
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is not None:
                with suppress(OSError):  # what it still holds does not fit on a full disk
                    self._file.close()
                return
            with self._telling():
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
                os.replace(self._temporary, self.path)
        finally:
            self._temporary.unlink(missing_ok=True)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Errors of the operating system are reported with :attr:`path`."""
        try:
            yield
        except OSError as error:
            free = shutil.disk_usage(self.path.parent).free
            raise ConfigError(
                f"cannot be written: {error.strerror}",
                where=str(self.path),
                hint=f"{free:,} bytes are free in {self.path.parent}",
            ) from error

    def write(self, prediction: Prediction) -> None:
        """Append the structures of one batch."""
        ends = prediction.n_atoms.cumsum(0).tolist()
        targets = {
            name: on_device(target, torch.device("cpu"))
            for name, target in prediction.targets.items()
        }
        labels = {}
        if self._references is not None:  # in float64, and not as a model computes
            part = self._dataset.select(prediction.index.cpu())
            labels = {name: part.target(name) for name in self._dataset.info.targets}
        for i, number in enumerate(prediction.index.tolist()):
            atoms = self._dataset.atoms(number)
            rows = slice(ends[i] - len(atoms), ends[i])
            per_structure, per_atom = self._columns(targets, self._names, i, rows, atoms)
            if self._references is not None:
                known = self._columns(labels, self._references, i, rows, atoms)
                per_structure |= _with_labels(known[0])
                per_atom |= _with_labels(known[1])
            for name, values in prediction.features.items():
                of_atom = self._of == "atom"
                columns = per_atom if of_atom else per_structure
                columns[self._name(name)] = values[rows if of_atom else i].cpu().numpy()
            with self._telling():
                self._file.writelines(_lines(atoms, per_structure, per_atom))

    def _name(self, output: str) -> str:
        """Name in the file of an output that is not a target."""
        if output not in self._outputs:
            used = {*_RESERVED, *self._outputs.values()}
            used |= {name for parts in self._names.values() for name in parts.values()}
            self._outputs[output] = _unused(_plain(output), used)
        return self._outputs[output]

    def _columns(
        self,
        targets: Mapping[str, Target],
        known: Mapping[str, Mapping[str, str]],
        i: int,
        rows: slice,
        atoms: ase.Atoms,
    ) -> tuple[Columns, Columns]:
        """The numbers of one structure: of the whole, and of its atoms.

        :param known: target to part to name.
        """
        per_structure: Columns = {}
        per_atom: Columns = {}
        for name, target in targets.items():
            names = known[name]
            info = self._targets[name]
            if info.per_atom:
                per_atom[names["values"]] = info.of_kind.written_atoms(
                    target.values[rows].numpy(), atoms.numbers
                )
            else:
                one = info.of_kind.written(target.values[i : i + 1].numpy())
                per_structure[names["values"]] = one[0]
            if not info.is_energy:
                of_atoms, of_structure = written_derivatives(info, target, i, rows)
                if of_atoms is not None:
                    per_atom[names["gradient"]] = of_atoms
                if of_structure is not None:
                    per_structure[names["strain"]] = of_structure
                continue
            if target.forces is not None:
                per_atom[names["forces"]] = target.forces[rows].numpy()
            if target.strain is not None and atoms.pbc.all():
                strain = target.strain[i].double().numpy()
                per_structure[names["stress"]] = strain / atoms.cell.volume
                if info.strain_name == "virial":
                    per_structure[names["virial"]] = -strain
        return per_structure, per_atom


def _file_names(targets: Mapping[str, TargetInfo]) -> dict[str, dict[str, str]]:
    """Target to part to the name in the file; no name occurs twice."""
    used = set(_RESERVED)
    names: dict[str, dict[str, str]] = {}
    for target in targets:
        names[target] = {}
        for part in ("values", "forces", "stress", "virial", *_parts(targets[target])):
            if part == "values":
                wanted = _plain(target)
            else:
                wanted = part if target == "energy" else f"{names[target]['values']}_{part}"
            names[target][part] = _unused(wanted, used)
            used.add(names[target][part])
    return names


def _parts(info: TargetInfo) -> tuple[str, ...]:
    """The derivatives of a target that is not an energy."""
    return () if info.is_energy or not info.gradients else ("gradient", "strain")


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "_", name)


def _reference_names(names: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """``REF_`` before each name, all of them different from those of predictions."""
    used = {*_RESERVED, *(name for parts in names.values() for name in parts.values())}
    references: dict[str, dict[str, str]] = {}
    for target, parts in names.items():
        references[target] = {}
        for part, name in parts.items():
            references[target][part] = _unused(f"REF_{name}", used)
            used.add(references[target][part])
    return references


def _with_labels(columns: Columns) -> Columns:
    return {name: values for name, values in columns.items() if not np.isnan(values).all()}


def _unused(wanted: str, used: Iterable[str]) -> str:
    name, k = wanted, 2
    while name in used:
        name, k = f"{wanted}_{k}", k + 1
    return name


def _lines(atoms: ase.Atoms, per_structure: Columns, per_atom: Columns) -> Iterator[str]:
    """One structure in extended XYZ; numbers as the shortest text that reads back equal."""
    properties = ["species:S:1", "pos:R:3"]
    properties += [f"{name}:R:{values.shape[1]}" for name, values in per_atom.items()]
    header = []
    if atoms.cell.any():
        header.append(f'Lattice="{_text(atoms.cell.array.reshape(-1))}"')
    header.append(f"Properties={':'.join(properties)}")
    for name, values in per_structure.items():
        header.append(f'{name}="{_text(values.reshape(-1))}"')
    header.append(f'pbc="{" ".join("T" if periodic else "F" for periodic in atoms.pbc)}"')
    yield f"{len(atoms)}\n{' '.join(header)}\n"
    columns = np.concatenate([atoms.positions, *per_atom.values()], axis=1)
    for symbol, row in zip(atoms.symbols, columns, strict=True):
        yield f"{symbol} {_text(row)}\n"


def _text(values: Sequence[float] | NDArray[np.float64]) -> str:
    return " ".join(repr(float(value)) for value in values)
