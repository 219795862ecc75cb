"""Output of ``mtt check`` for the data of an options file: a table of findings; or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mtt.cli.render import terminal

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from mtt.scanning import Finding, Place

STYLES = {"wrong": "bold red", "suspicious": "yellow", "note": "cyan", "fine": "green"}
_WIDEST = 120  # lines longer than this are hard to read
_NAMED = 5  # frames of a place


def findings(found: Sequence[Finding]) -> None:
    """The table, what is in order below it, and the number of findings of each kind."""
    from rich.text import Text

    console = terminal.rich_console()
    shown = [one for one in found if one.severity != "fine"]
    fine = [one for one in found if one.severity == "fine"]
    if shown:
        console.print(_table(shown, min(int(console.width), _WIDEST)), highlight=False)
    for one in fine:
        files = ", ".join(dict.fromkeys(_short(place.file) for place in one.places))
        line = Text.assemble(("fine", STYLES["fine"]), f"  {one.what}", (f" ({files})", "dim"))
        console.print(line, highlight=False)
    console.print(Text.assemble("\nthe data: ", *_counts(shown)), highlight=False)


def data(one: Finding) -> dict[str, Any]:
    """A finding, for programs; all frames are named."""
    return {
        "check": one.check,
        "severity": one.severity,
        "what": one.what,
        "where": [
            {
                "set": place.part,
                "file": place.file,
                "count": len(place.frames),
                "frames": list(place.frames),
            }
            for place in one.places
        ],
        "number": one.number,
        "unit": one.unit,
        "advice": one.advice,
    }


def _table(shown: Sequence[Finding], width: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), width=width, show_lines=False)
    table.add_column("", width=10)
    table.add_column("what was found, and what to do", ratio=5, overflow="fold")
    table.add_column("where", ratio=3, overflow="fold")
    for i, one in enumerate(shown):
        what = Text.assemble(one.what, (_number(one), "bold"))
        if one.advice:
            what.append(f"\n→ {one.advice}", "dim")
        table.add_row(
            Text(one.severity, STYLES[one.severity]),
            what,
            Text("\n".join(map(_place, one.places))),
            end_section=i == len(shown) - 1,
        )
        if i < len(shown) - 1:
            table.add_row()
    return table


def _number(one: Finding) -> str:
    """``: 12.3 eV`` ; the sentence itself holds ratios."""
    if one.number is None or not one.unit:
        return ""
    unit = one.unit.removesuffix("s") if one.number == 1 and " " not in one.unit else one.unit
    return f": {one.number:.4g} {unit}"


def _place(place: Place) -> str:
    """``training: train.xyz, 12 frames (0, 1, 2, 3, 4, …)``."""
    named = ", ".join(map(str, place.frames[:_NAMED]))
    n = len(place.frames)
    if not n:
        return f"{place.part}: {_short(place.file)}"
    frames = f"frame {named}" if n == 1 else f"{n} frames ({named}{', …' * (n > _NAMED)})"
    return f"{place.part}: {_short(place.file)}\n  {frames}"


def _short(file: str) -> str:
    """Relative to the working folder, if it is below it."""
    from pathlib import Path

    here, path = Path.cwd(), Path(file)
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _counts(shown: Sequence[Finding]) -> Iterator[str | Text]:
    from rich.text import Text

    if not shown:
        yield Text("nothing was found", STYLES["fine"])
    for i, (severity, style) in enumerate(STYLES.items()):
        n = sum(one.severity == severity for one in shown)
        if n:
            words = severity if severity in ("wrong", "suspicious") or n == 1 else f"{severity}s"
            yield Text(f"{', ' if i and shown[0].severity != severity else ''}{n} {words}", style)
