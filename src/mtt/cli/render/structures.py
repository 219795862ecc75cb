"""Errors of structures: the worst of them, and groups of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mtt.cli.render import terminal
from mtt.cli.render.quantities import number

if TYPE_CHECKING:
    from mtt.evaluation import PerStructure, QuantityErrors
    from mtt.evaluation.per_structure import GroupErrors
    from mtt.workflows.evaluate import EvaluatedSet


class _Column(NamedTuple):
    """An error of a table."""

    name: str  # of the rows
    title: str
    unit: str  # as shown
    factor: float  # to it


def evaluated(sets: Sequence[EvaluatedSet], n: int | None, by: str | None) -> None:
    """Errors of each data set, of its groups by a key, and of its ``n`` worst structures."""
    for one in sets:
        terminal.evaluation(one)
        found = one.report.structures
        if found is not None and by is not None:
            groups(one.name, found, by)
        if found is not None and n is not None:
            worst(one.name, found, n, by)


def worst(name: str, found: PerStructure, n: int, by: str | None = None) -> None:
    """The ``n`` structures with the greatest errors, the worst first.

    :param name: of the data set.
    :param by: a key of the files that is shown too.
    """
    chosen = found.worst(n)
    if not len(chosen):
        terminal.done(f"{name}: no structure has a label, so none is worst")
        return
    count = f"{len(chosen)} worst structures" if len(chosen) > 1 else "worst structure"
    what = "ratio: greatest error of a structure to the RMSE of all"
    terminal.said(f"the {count} of {name} ({what}):")
    columns = [*_columns(found)]
    keys = [] if by is None else [by]
    rows = [*found.rows(chosen, keys)]
    ratios = [f"{found.badness[i]:.3g}×" for i in chosen.tolist()]
    several = len({row["file"] for row in rows}) > 1
    place = "file, frame" if several else "frame"
    heads = [place, "formula", *keys, "ratio", *(_head(column) for column in columns)]
    cells = [
        [
            f"{row['file']}, {row['frame']}" if several else str(row["frame"]),
            row["formula"],
            *(row[f"info {key}"] or "-" for key in keys),
            ratio,
            *(_cell(row[column.name], column) for column in columns),
        ]
        for row, ratio in zip(rows, ratios, strict=True)
    ]
    if _width([heads, *cells]) <= int(terminal.rich_console().width):
        terminal.table(heads, cells)
        return
    for rank, (row, ratio) in enumerate(zip(rows, ratios, strict=True), start=1):
        for line in _lines(rank, row, ratio, columns, keys):
            terminal.said(line)


def groups(name: str, found: PerStructure, key: str) -> None:
    """RMSE of every quantity, of the structures of each value of ``key``."""
    terminal.done(f"RMSE on {name} by {key}:")
    columns = [*_pooled_columns(found.errors)]
    heads = [key, "structures", *(_head(column) for column in columns)]
    rows = [
        [
            group.value or f"without {key}",
            f"{group.n_structures:,}",
            *(_cell(_finite(group.errors[column.name]), column) for column in columns),
        ]
        for group in _in_order(found.by_group(key))
    ]
    if _width([heads, *rows]) <= int(terminal.rich_console().width):
        terminal.table(heads, rows)
        return
    for row in rows:
        terminal.done(f"{row[0]}: {row[1]} structures")
        for column, value in zip(columns, row[2:], strict=True):
            terminal.done(f"   {column.title} {value} {column.unit}".rstrip())


def _in_order(groups: Sequence[GroupErrors]) -> Sequence[GroupErrors]:
    """Numbers ascend; other values are in the order of their size."""
    try:
        return sorted(groups, key=lambda group: float(group.value))
    except ValueError:
        return groups


def _lines(
    rank: int, row: Mapping[str, Any], ratio: str, columns: Sequence[_Column], keys: Sequence[str]
) -> Iterator[str]:
    """One structure where a table is too wide."""
    said = "".join(f", {key} {row[f'info {key}'] or '-'}" for key in keys)
    yield f"{rank}. {row['file']}, frame {row['frame']}: {row['formula']}{said}, {ratio}"
    for column in columns:
        if row[column.name] is not None:
            yield f"   {column.title} {_cell(row[column.name], column)} {column.unit}".rstrip()


def _columns(found: PerStructure) -> Iterator[_Column]:
    from mtt.data.labels.units import shown

    for one in found.errors:
        unit, factor = shown(one.unit)
        for name in one.columns():
            title = one.name if one.single else name.replace(" MaxAE", " largest")
            yield _Column(name, title, unit, factor)


def _pooled_columns(errors: Sequence[QuantityErrors]) -> Iterator[_Column]:
    from mtt.data.labels.units import shown

    for one in errors:
        yield _Column(one.name, one.name, *shown(one.unit))


def _head(column: _Column) -> str:
    return f"{column.title}\n{column.unit}" if column.unit else column.title


def _cell(value: float | None, column: _Column) -> str:
    return "-" if value is None else number(value * column.factor)


def _finite(pooled: Sequence[float]) -> float | None:
    """The RMSE of a group; None where it has no label."""
    return pooled[0] if pooled[3] else None


def _width(rows: Sequence[Sequence[str]]) -> int:
    """Characters of a table with frame and blanks."""
    columns = ([part for row in rows for part in row[i].split("\n")] for i in range(len(rows[0])))
    longest = [max(map(len, column)) for column in columns]
    return sum(longest) + 2 * len(longest) + 2
