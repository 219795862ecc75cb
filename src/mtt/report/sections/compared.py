"""Several runs side by side: who is best at what, and what they do differently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mtt.evaluation.quantities import is_extended
from mtt.report.charts.chart import run_color
from mtt.report.differences import (
    deciding_part,
    divided,
    errors_of,
    in_short,
    incomparable,
    options_that_differ,
    winners,
    wins,
)
from mtt.report.markup import Html, count, duration, element, joined, number, run_name, table
from mtt.report.run_data import RunData
from mtt.report.several.same_sets import PARTS, letter, set_numbers

_MOST_OPTIONS = 80


def overview(runs: Sequence[RunData]) -> Html:
    """State, time and errors of all runs; the best of each row is bold."""
    notes = [element("p", text, class_="notice") for text in incomparable(runs)]
    for run in runs:
        notes += [element("p", f"{run.name}: {text}", class_="notice") for text in run.missing]
    rows = [
        ["state", *(run.state for run in runs)],
        ["architecture", *(str(run.facts.get("architecture") or "–") for run in runs)],
        ["epochs", *(_epochs(run) for run in runs)],
        ["time of all epochs", *(_seconds(run) for run in runs)],
    ]
    names = [run_name(run.name) for run in runs]
    errors = element("div", *_errors(runs, names), class_="columns")
    return joined([*notes, table(["", *names], rows), *_wins(runs), errors])


def legend(runs: Sequence[RunData]) -> Html:
    """The colours of the runs, which are the same in all charts."""
    items = [
        element("li", element("i", style=f"background:{run_color(i)}"), run.name)
        for i, run in enumerate(runs)
    ]
    return element("ul", *items, class_="legend", aria_label="colours of the runs")


def option_differences(runs: Sequence[RunData]) -> Html:
    """The options that are not the same in all runs."""
    found = options_that_differ(runs)
    unread = [run.name for run in runs if run.options is None]
    notes = [
        element("p", f"{name}: its options cannot be read.", class_="notice") for name in unread
    ]
    if not found:
        return joined([*notes, element("p", "All options are the same.")])
    differ, partly = divided(found, [run.facts.get("architecture") for run in runs])
    parts = [_table_of(differ, runs)] if differ else []
    if partly:
        text = "Options that only some of the runs have, of their architecture, targets or data "
        head = element("summary", text, element("small", count(len(partly))))
        parts.append(element("details", head, _table_of(partly, runs)))
    return joined([*notes, *parts])


def _table_of(options: Mapping[str, Sequence[str]], runs: Sequence[RunData]) -> Html:
    rows = [[key, *map(in_short, row)] for key, row in list(options.items())[:_MOST_OPTIONS]]
    more = len(options) - len(rows)
    rest = element("p", f"{more} more differ.", class_="muted") if more else None
    columns = ["option", *(run_name(run.name) for run in runs)]
    return joined([table(columns, rows, "", "texts"), rest])


def _wins(runs: Sequence[RunData]) -> Iterator[Html]:
    """Which run is best by most errors, among those that can be compared."""
    counts, part = wins(runs), deciding_part(runs)
    numbers = set_numbers(runs, part)
    shared = [i for i, one in enumerate(numbers) if one is not None and numbers.count(one) > 1]
    if not any(run.final_errors for run in runs):
        return
    if not shared:
        text = "No run is called the best: no two of them are scored on the same structures."
        yield element("p", text)
        return
    for one in dict.fromkeys(numbers[i] for i in shared):
        members = [i for i in shared if numbers[i] == one]
        yield element("p", *_best_of(runs, members, counts, part))


def _best_of(
    runs: Sequence[RunData], members: Sequence[int], counts: Sequence[int], part: str
) -> Iterator[str]:
    """Of runs that are scored on the same structures."""
    own = [counts[i] for i in members]
    rest = "" if len(members) == len(runs) else f" among the {len(members)} runs with this set"
    if own.count(max(own)) == 1:
        yield element("b", runs[members[own.index(max(own))]].name)
        yield f" has the lowest error in {max(own)} of {sum(own)} rows of the {part} set{rest}."
    else:
        yield f"No run is the best in most of the errors on the {part} set{rest}."


def _errors(runs: Sequence[RunData], names: Sequence[str]) -> Iterator[Html]:
    found = errors_of(runs)
    order = [name for name in PARTS if name in found]
    for part in [*order, *(name for name in found if name not in order)]:
        sets = [*_sets(runs, part)]
        several, any_best = bool(sets), False
        rows: list[list[str]] = []
        minor: list[list[str]] = []
        for name, row in found[part].items():
            best = winners(runs, part, name)
            any_best = any_best or bool(best)
            cells = [
                element("b", number(value)) if i in best else number(value)
                for i, value in enumerate(row)
            ]
            (minor if is_extended(name.partition(" (")[0]) else rows).append([name, *cells])
        lead = "the best in bold"
        if several:
            lead = "the best of each set in bold" if any_best else "not compared with each other"
        yield table(["", *names], [*sets, *rows], f"Errors on the {part} set; {lead}")
        if minor:
            head = element("summary", f"Components and elements, {part} set")
            yield element("details", head, table(["", *names], minor))


def _sets(runs: Sequence[RunData], part: str) -> Iterator[list[str]]:
    """A row that says which runs are scored on the same structures, where not all are."""
    numbers = set_numbers(runs, part)
    if len({one for one in numbers if one is not None}) > 1:
        yield [f"{part} set", *("–" if one is None else letter(one) for one in numbers)]


def _epochs(run: RunData) -> str:
    epoch, whole = run.facts.get("epoch"), run.facts.get("num_epochs")
    if epoch is None:
        return "–"
    return f"{epoch} of {whole}" if whole else str(epoch)


def _seconds(run: RunData) -> str:
    return "–" if run.seconds is None else duration(run.seconds)
