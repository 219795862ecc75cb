"""Errors of every structure as a file: csv, or parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from mtt.checkpoint.temporary import open_temporary
from mtt.data import Dataset
from mtt.data.storage.info_keys import info_of
from mtt.errors import ConfigError, DataError, Problem, did_you_mean
from mtt.evaluation.per_structure import PerStructure
from mtt.stopping import stop_if_asked

SUFFIXES = (".csv", ".parquet")
_ROWS = 10_000  # that are written at a time


def table_paths(path: Path, n: int) -> list[Path]:
    """Where the tables of ``n`` data sets go: ``path``, or ``errors_0.csv``, ``errors_1.csv`` …

    :raises ConfigError: the suffix is another one, or pyarrow is missing.
    """
    if path.suffix not in SUFFIXES:
        what = f"errors of structures are written as {' or '.join(SUFFIXES)}"
        raise ConfigError(what, where=str(path))
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        hint = "pip install 'mtt[parquet]', or name a .csv file"
        what = "parquet needs pyarrow, which is not installed"
        raise ConfigError(what, where=str(path), hint=hint)
    if n == 1:
        return [path]
    return [path.with_name(f"{path.stem}_{i}{path.suffix}") for i in range(n)]


def check_group_key(key: str, datasets: Sequence[Dataset]) -> None:
    """Whether structures of every data set have the key.

    :raises DataError: those of one have not; names the keys that there are.
    """
    problems = []
    for dataset in datasets:
        known = list(info_of(dataset.columns))
        if key in known:
            continue
        where = dataset.source(0).rpartition(", frame ")[0] if len(dataset) else dataset.name
        if not known and dataset.columns.folder is not None:
            hint = "packed data keep labels alone: name the files that they were packed from"
        else:
            hint = did_you_mean(key, known) or f"there are {', '.join(known) or 'no such keys'}"
        problems.append(Problem(f"no structure has the key {key!r}", where, hint))
    if problems:
        raise DataError.collect(problems)


def write_table(path: Path, structures: PerStructure) -> None:
    """One row for each structure, with the columns of :meth:`PerStructure.rows`.

    Errors have their unit in the name of the column, ``forces RMSE (eV/Å)``. In csv a missing
    value is empty, and a prediction of NaN is ``nan``. The file is renamed at the end.

    :raises ConfigError: the file cannot be written.
    """
    units = structures.units()
    rows = iter(structures.rows())
    blocks = iter(lambda: list(islice(rows, _ROWS)), [])
    write = _write_csv if path.suffix == ".csv" else _write_parquet
    with _temporary(path) as temporary:
        write(temporary, (_named(block, units) for block in blocks))


def _named(rows: Sequence[Mapping[str, Any]], units: Mapping[str, str]) -> list[dict[str, Any]]:
    stop_if_asked()
    names = {key: f"{key} ({units[key]})" if units.get(key) else key for key in rows[0]}
    return [{names[key]: value for key, value in row.items()} for row in rows]


def _write_csv(path: Path, blocks: Iterator[list[dict[str, Any]]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = None
        for block in blocks:
            if writer is None:
                writer = csv.DictWriter(file, list(block[0]), lineterminator="\n")
                writer.writeheader()
            writer.writerows(block)


def _write_parquet(path: Path, blocks: Iterator[list[dict[str, Any]]]) -> None:
    import pyarrow  # an extra
    import pyarrow.parquet

    def kind_of(name: str) -> Any:
        if name in ("frame", "atoms"):
            return pyarrow.int64()
        text = name.startswith("info ") or name in ("file", "formula")
        return pyarrow.string() if text else pyarrow.float64()

    writer = None
    try:
        for block in blocks:
            schema = pyarrow.schema([(name, kind_of(name)) for name in block[0]])
            writer = writer or pyarrow.parquet.ParquetWriter(path, schema)
            writer.write_table(pyarrow.Table.from_pylist(block, schema=schema))
    finally:
        if writer is not None:
            writer.close()


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A file beside ``path`` that becomes it at the end of the block."""
    try:
        temporary, held = open_temporary(path, "xb")
        try:
            with held:
                yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        folder = path.parent
        hint = f"there is no folder {folder}"
        if folder.is_dir():
            hint = f"{shutil.disk_usage(folder).free:,} bytes are free in {folder}"
        what = f"cannot be written: {error.strerror}"
        raise ConfigError(what, where=str(path), hint=hint) from error
