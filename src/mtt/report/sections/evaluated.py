"""The top and the end of a page of ``mtt eval``: errors of every data set, model and data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mtt.evaluation import Report
from mtt.report.kept import Kept
from mtt.report.markup import Html, count, duration, element, joined, number, pairs, size, table
from mtt.report.sections.trained import data_tables

_MOST_TILES = 6


class Evaluation(NamedTuple):
    """What a page of ``mtt eval`` shows.

    :param reports: errors and times by data set.
    :param files: what was written of each of them.
    :param model: facts of the model's file, see :func:`mtt.checkpoint.describe`.
    :param environment: machine and packages.
    """

    name: str
    kept: Kept
    reports: Mapping[str, Report]
    files: Mapping[str, Sequence[str]]
    model: Mapping[str, Any]
    environment: Mapping[str, Any]


def errors_found(one: Evaluation) -> Html:
    """What is wrong by how much, in tiles and in a table."""
    rows = [
        [
            *([part] if len(one.reports) > 1 else []),
            row.quantity,
            number(row.rmse),
            number(row.mae),
            row.unit or "unit not given",
            count(row.count),
        ]
        for part, report in one.reports.items()
        for row in report.rows
    ]
    if not rows:
        text = "The data have no labels of what was predicted: there are no errors to show."
        return joined([_lead(one), element("p", text, class_="notice")])
    columns = ["data set"] if len(one.reports) > 1 else []
    columns += ["error of", "RMSE", "MAE", "unit", "compared numbers"]
    return joined([_lead(one), _tiles(one), table(columns, rows, "Errors of the predictions")])


def of_what(one: Evaluation) -> Html:
    """Model, data, files and machine."""
    times = [
        [
            name,
            count(report.timing.n_structures),
            count(report.timing.n_atoms),
            duration(report.timing.seconds),
            f"{number(report.timing.ms_per_structure, 3)} ms",
            f"{number(report.timing.ms_per_atom, 3)} ms",
        ]
        for name, report in one.reports.items()
    ]
    columns = ["", "structures", "atoms", "time of the model", "per structure", "per atom"]
    statistics = one.kept.facts.get("statistics") or {}
    return joined(
        [
            element("h3", "Model"),
            pairs(dict(_model(one.model))),
            element("h3", "Data"),
            *data_tables(statistics),
            element("h3", "Time"),
            table(columns, times),
            *_files(one),
            *_machine(one.environment),
        ]
    )


def _lead(one: Evaluation) -> Html:
    n = sum(report.timing.n_structures for report in one.reports.values())
    seconds = sum(report.timing.seconds for report in one.reports.values())
    sets = f"{len(one.reports)} data sets" if len(one.reports) > 1 else next(iter(one.reports), "")
    text = f" predicts {count(n)} structures of {sets} in {duration(seconds)}."
    return element("p", element("b", one.name), text)


def _tiles(one: Evaluation) -> Html:
    """The RMSE of each quantity of the first data set that has labels."""
    part, report = next((name, found) for name, found in one.reports.items() if found.rows)
    tiles = []
    for row in report.rows:
        if not row.quantity.endswith(" total"):
            shown = element("b", number(row.rmse, 3), element("small", f" {row.unit}"))
            what = f"{row.quantity} RMSE" + (f", {part}" if len(one.reports) > 1 else "")
            tiles.append(element("div", shown, element("span", what), class_="tile"))
    return element("div", *tiles[:_MOST_TILES], class_="tiles")


def _model(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    named = {"file": "file", "kind": "kind", "name": "name", "architecture": "architecture",
             "best_epoch": "best epoch", "mtt_version": "written by mtt"}  # fmt: skip
    for key, name in named.items():
        if facts.get(key) not in (None, ""):
            yield name, str(facts[key])
    if isinstance(facts.get("bytes"), int):
        yield "size", size(facts["bytes"])


def _files(one: Evaluation) -> Iterator[Html]:
    found = {name: ", ".join(files) for name, files in one.files.items() if files}
    if found:
        yield element("h3", "Files")
        yield pairs(found)


def _machine(environment: Mapping[str, Any]) -> Iterator[Html]:
    known = dict(environment)
    packages = known.pop("packages", {})
    found = {name: str(value) for name, value in known.items()}
    if packages:
        found["packages"] = ", ".join(f"{name} {version}" for name, version in packages.items())
    if found:
        yield element("h3", "Machine and software")
        yield pairs(found)
