"""The data of a run, read and divided; and the ``mtt data`` commands."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ase.data import chemical_symbols

from mtt.data import Dataset, DatasetInfo, merge, pack, read_dataset
from mtt.data.combine import merge_infos
from mtt.data.files.inputs import input_files
from mtt.data.split import split
from mtt.data.statistics import Statistics, statistics
from mtt.data.storage.store import is_packed
from mtt.errors import DataError, Problem
from mtt.options import DatasetOptions, IndexSplit, Options, load_eval_options
from mtt.workflows.overwriting import Named, files_of_data_sets, refuse_overwriting

log = logging.getLogger(__name__)


class Data(NamedTuple):
    """The data sets of a run.

    :param info: what the model must know: elements, targets, units.
    :param indices: the structures of each part in its files, by part and data set.
    :param places: file and frame of each of them; none of a data set of one file.
    """

    training: list[Dataset]
    validation: list[Dataset]
    test: list[Dataset]
    info: DatasetInfo
    indices: dict[str, list[list[int]]]
    places: dict[str, list[list[str]]]

    @property
    def notices(self) -> list[str]:
        """What the user should know about the data, each sentence once."""
        sets = [*self.training, *self.validation, *self.test]
        return list(dict.fromkeys(notice for one in sets for notice in one.notices))

    def parts(self) -> dict[str, list[Dataset]]:
        """The parts that are not empty, by name."""
        parts = {"training": self.training, "validation": self.validation, "test": self.test}
        kept = {name: [one for one in sets if len(one)] for name, sets in parts.items()}
        return {name: sets for name, sets in kept.items() if sets}


def read_data(options: Options) -> Data:
    """Read all data sets, check them, and divide the training data as the options say.

    :raises DataError: all mistakes of all files; parts that are empty or do not fit together.
    """
    named = {
        "training": options.training_set,
        "validation": options.validation_set,
        "test": options.test_set,
    }
    own = {name: part for name, part in named.items() if isinstance(part, list)}
    # indices of the other parts count structures of the file, as those of the training set do
    chosen = None
    if len(own["training"]) == 1:
        chosen = own["training"][0].indices
        own["training"] = [replace(own["training"][0], indices=None)]
    read = _read_all(own)
    divided = split(
        [len(one) for one in read["training"]],
        _part_of(options.validation_set),
        _part_of(options.test_set),
        options.seed,
        train=chosen,
    )
    held = {"training": divided.train, "validation": divided.validation, "test": divided.test}
    sets, indices = {}, {}
    for name in named:
        if name in own and name != "training":
            sets[name] = read[name]
            indices[name] = [
                _of_file(one, range(len(data)))
                for one, data in zip(own[name], read[name], strict=True)
            ]
        else:
            pairs = zip(read["training"], held[name], strict=True)
            sets[name] = [one.select(chosen) for one, chosen in pairs]
            indices[name] = [
                _of_file(one, held_out)
                for one, held_out in zip(own["training"], held[name], strict=True)
            ]
    if not any(len(one) for one in sets["validation"]):
        hint = "the best epoch is chosen by them: hold out a part, such as 0.1"
        raise DataError("there are no structures to validate on", where="validation_set", hint=hint)
    info = _info(options, sets)
    places = {
        name: [_places(*each) for each in zip(own.get(name, own["training"]), there, strict=True)]
        for name, there in sets.items()
    }
    return Data(sets["training"], sets["validation"], sets["test"], info, indices, places)


def _places(options: DatasetOptions, dataset: Dataset) -> list[str]:
    if dataset.columns.folder is not None or len(input_files(options.systems.read_from)) < 2:
        return []
    return [dataset.source(i) for i in range(len(dataset))]


def _of_file(options: DatasetOptions, structures: Sequence[int]) -> list[int]:
    """Numbers in the file, of structures that are counted among those that were read."""
    if options.indices is None:
        return list(structures)
    return [options.indices[i] for i in structures]


def _read_all(parts: Mapping[str, Sequence[DatasetOptions]]) -> dict[str, list[Dataset]]:
    problems: list[Problem] = []
    read: dict[str, list[Dataset]] = {}
    for name, part in parts.items():
        read[name] = []
        for i, one in enumerate(part):
            try:
                read[name].append(read_dataset(one))
            except DataError as error:
                key = f"{name}_set" if len(part) == 1 else f"{name}_set.{i}"
                found = [_in_options(problem, one, key) for problem in error.problems]
                problems += [problem for problem in found if problem not in problems]
    if problems:
        raise DataError.collect(problems)
    return read


def _in_options(problem: Problem, options: DatasetOptions, key: str) -> Problem:
    """``problem`` at the full key where it is one of the options, and not of a file."""
    if problem.where.startswith(("systems.", "targets.", "extra_data.")):
        return problem._replace(where=f"{key}.{problem.where}")
    named = options.systems.read_from
    mine = problem.where in ([named] if isinstance(named, str) else named)
    if mine and not Path(problem.where).is_file():
        what = f"{problem.where}: {problem.what}"
        return problem._replace(where=f"{key}.systems.read_from", what=what)
    return problem


def _part_of(part: list[DatasetOptions] | float | IndexSplit) -> float | Sequence[int] | None:
    if isinstance(part, list):
        return None
    return part.indices if isinstance(part, IndexSplit) else part


def _info(options: Options, sets: Mapping[str, Sequence[Dataset]]) -> DatasetInfo:
    """Targets of the training data; elements of the training data, or those in the options."""
    info = merge_infos([_found(one) for one in sets["training"] if len(one)])
    given = options.architecture["atomic_types"]
    known = set(given or info.atomic_types)
    problems = []
    for name, datasets in sets.items():
        found = {z for one in datasets if len(one) for z in _found(one).atomic_types}
        unknown = sorted(found - known)
        if unknown:
            symbols = ", ".join(chemical_symbols[z] for z in unknown)
            there = "architecture.atomic_types" if given else "the training set"
            problems.append(
                Problem(
                    f"{symbols} is in the {name} set and not in {there}",
                    where=f"{name}_set",
                    hint="a model learns nothing about elements that it never sees",
                )
            )
        problems += _lacking(name, datasets, info)
    if problems:
        raise DataError.collect(problems)
    return replace(info, atomic_types=tuple(sorted(known)))


def _found(dataset: Dataset) -> DatasetInfo:
    """Its info with the elements that its structures hold; views may hold fewer."""
    types = tuple(sorted(set(dataset.types.tolist())))
    return replace(dataset.info, atomic_types=types)


def _lacking(name: str, datasets: Sequence[Dataset], info: DatasetInfo) -> list[Problem]:
    """Targets of a validation set that the training set does not have."""
    return [
        Problem(
            f"target {target!r} is not in the training set",
            where=f"{name}_set",
            hint=f"training targets: {', '.join(info.targets)}",
        )
        for one in datasets
        for target in one.info.targets
        if target not in info.targets
    ]


def statistics_of(file: str | Path, key: str = "energy") -> Statistics:
    """Statistics of a data file, of the data set of a YAML file, or of a packed data set.

    :param key: the key of the energies of a data file; empty to leave labels out.
    """
    path = Path(file)
    if is_packed(path):
        return statistics(Dataset.open(path))
    return statistics(merge(read_with_notices(_datasets_of(path, key))))


def pack_files(files: Sequence[str | Path], output: str | Path, key: str = "energy") -> int:
    """Pack data files, or the data sets of YAML files, into one memory-mapped folder.

    :param files: files that ASE reads, with energies under ``key`` and whatever forces and
        stresses there are; or YAML files like those of ``mtt eval``, which say what to read.
    :return: number of structures.
    :raises DataError: all mistakes in the data; ``output`` exists or cannot be written.
    """
    folder = Path(output)
    if os.path.lexists(folder):
        raise DataError("exists already", where=str(folder), hint="choose another folder")
    options = [one for file in files for one in _datasets_of(Path(file), key)]
    read = [named for file in files for named in _files_of(Path(file))]
    hint = "name a folder outside of it"
    refuse_overwriting([Named(folder, "the packed data set")], read, hint)
    return len(pack(read_with_notices(options), output))


def read_with_notices(options: Sequence[DatasetOptions]) -> list[Dataset]:
    """The data sets; what the user should know about them is logged."""
    read = [read_dataset(one) for one in options]
    for notice in dict.fromkeys(notice for one in read for notice in one.notices):
        log.warning("%s", notice)
    return read


def _files_of(path: Path) -> Iterator[Named]:
    yield Named(path, "the data")
    if path.suffix in (".yaml", ".yml"):
        yield from files_of_data_sets(path)


def _datasets_of(path: Path, key: str) -> list[DatasetOptions]:
    if path.suffix in (".yaml", ".yml"):
        return load_eval_options(path)
    targets: dict[str, Any] = {"energy": {"key": key}} if key else {}
    return load_eval_options({"systems": str(path), "targets": targets})
