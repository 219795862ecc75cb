"""The epochs of a training as a table, for scripts and notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

from mtt.errors import MttError, did_you_mean

SHOWN = 20
"""Rows of a longer table that a notebook shows: half of them from each end."""


class History(Sequence[Mapping[str, float]]):
    """One row per epoch, as in ``train.csv``: name of the column to number.

    ``history[-1]`` is the row of the last epoch, ``history["validation loss"]`` a column.

    :param rows: in the order of the epochs. A row may lack columns: those of a run before a
        restart.
    :param units: column to unit, in the order of the columns; empty where it has none.
    :param best_epoch: the epoch whose weights were kept; None where it is not known.
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, float]] = (),
        units: Mapping[str, str] | None = None,
        best_epoch: int | None = None,
    ) -> None:
        self._rows = [dict(row) for row in rows]
        self.units = dict(units or {})
        for row in self._rows:
            self.units |= {name: "" for name in row if name not in self.units}
        self.best_epoch = best_epoch

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns: ``epoch``, ``learning rate``, ``training loss`` …"""
        return tuple(self.units)

    @property
    def best(self) -> dict[str, float] | None:
        """The row of the best epoch."""
        return next((row for row in self._rows if row.get("epoch") == self.best_epoch), None)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> dict[str, float]: ...
    @overload
    def __getitem__(self, index: slice) -> History: ...
    @overload
    def __getitem__(self, index: str) -> list[float]: ...
    def __getitem__(self, index: int | slice | str) -> dict[str, float] | History | list[float]:
        """A row, a part of the table, or a column (NaN where a row lacks it).

        :raises KeyError: there is no such column.
        """
        if isinstance(index, str):
            if index not in self.units:
                hint = did_you_mean(index, self.columns) or f"one of {', '.join(self.columns)}"
                raise KeyError(f"there is no column {index!r}; {hint}")
            return [row.get(index, float("nan")) for row in self._rows]
        if isinstance(index, slice):
            return History(self._rows[index], self.units, self.best_epoch)
        return self._rows[index]

    def __repr__(self) -> str:
        names = ", ".join(self.columns)
        return f"<History of {len(self)} epochs; columns: {names}>"

    def _repr_html_(self) -> str:
        """A table; Jupyter calls this."""
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        units = "".join(f"<td><small>{html.escape(unit)}</small></td>" for unit in
                        self.units.values())  # fmt: skip
        body = "".join(map(self._html_row, self._shown()))
        return (
            '<div style="overflow-x: auto"><table style="font-variant-numeric: tabular-nums">'
            f"<thead><tr>{head}</tr><tr>{units}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame`` with the same columns, indexed by the epoch.

        :raises MttError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            what = "this needs the package pandas, which is not installed"
            raise MttError(what, hint="pip install pandas") from error
        frame = pandas.DataFrame(self._rows, columns=list(self.columns))
        return frame.set_index("epoch") if "epoch" in self.units else frame

    def _shown(self) -> Iterator[dict[str, float] | None]:
        """The rows that a notebook shows; None where some are left out."""
        if len(self) <= SHOWN:
            yield from self._rows
            return
        yield from self._rows[: SHOWN // 2]
        yield None
        yield from self._rows[-SHOWN // 2 :]

    def _html_row(self, row: Mapping[str, float] | None) -> str:
        if row is None:
            return f'<tr><td colspan="{len(self.units)}">…</td></tr>'
        tag = "th" if row.get("epoch") == self.best_epoch else "td"
        cells = (f"{row[name]:.4g}" if name in row else "" for name in self.columns)
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"


class Recorder:
    """A listener that keeps the rows of all epochs, also of those before a restart."""

    def __init__(self) -> None:
        self._rows: list[Mapping[str, float]] = []
        self._units: dict[str, str] = {}
        self._best: int | None = None

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category == "run_start":
            self._rows = list(values["history"])
            self._units = dict(values["units"])
        elif category == "epoch":
            self._rows.append(values["metrics"])
            self._units |= values["units"]
        elif category == "end":
            self._best = values["best_epoch"]

    @property
    def history(self) -> History:
        """What was recorded so far."""
        return History(self._rows, self._units, self._best)
