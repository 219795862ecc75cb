"""Several runs side by side: who is best at what, and what they do differently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mtt.report.differences import (
    deciding_part,
    errors_of,
    incomparable,
    options_that_differ,
    winner,
    wins,
)
from mtt.report.markup import Html, duration, element, joined, number, table
from mtt.report.run_data import RunData

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
    names = [run.name for run in runs]
    errors = element("div", *_errors(runs, names), class_="columns")
    return joined([*notes, table(["", *names], rows), *_wins(runs), errors])


def option_differences(runs: Sequence[RunData]) -> Html:
    """The options that are not the same in all runs."""
    found = options_that_differ(runs)
    unread = [run.name for run in runs if run.options is None]
    notes = [
        element("p", f"{name}: its options cannot be read.", class_="notice") for name in unread
    ]
    if not found:
        return joined([*notes, element("p", "All options are the same.")])
    rows = [[key, *row] for key, row in list(found.items())[:_MOST_OPTIONS]]
    more = len(found) - len(rows)
    rest = element("p", f"{more} more differ.", class_="muted") if more else None
    columns = ["option", *(run.name for run in runs)]
    return joined([*notes, table(columns, rows, "", "texts"), rest])


def _wins(runs: Sequence[RunData]) -> Iterator[Html]:
    counts, part = wins(runs), deciding_part(runs)
    if any(counts):
        best = max(range(len(runs)), key=lambda i: counts[i])
        if counts.count(counts[best]) == 1:
            text = (
                f" has the lowest error in {counts[best]} of {sum(counts)} rows of the {part} set."
            )
            yield element("p", element("b", runs[best].name), text)
        else:
            yield element("p", f"No run is the best in most of the errors on the {part} set.")


def _errors(runs: Sequence[RunData], names: Sequence[str]) -> Iterator[Html]:
    found = errors_of(runs)
    order = [name for name in ("test", "validation", "training") if name in found]
    for part in [*order, *(name for name in found if name not in order)]:
        rows = []
        for name, row in found[part].items():
            best = winner(name, row)
            cells = [
                element("b", number(value)) if i == best else number(value)
                for i, value in enumerate(row)
            ]
            rows.append([name, *cells])
        yield table(["", *names], rows, f"Errors on the {part} set; the best in bold")


def _epochs(run: RunData) -> str:
    epoch, whole = run.facts.get("epoch"), run.facts.get("num_epochs")
    if epoch is None:
        return "–"
    return f"{epoch} of {whole}" if whole else str(epoch)


def _seconds(run: RunData) -> str:
    return "–" if run.seconds is None else duration(run.seconds)
