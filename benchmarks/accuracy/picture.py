"""Force errors against training time on acetylacetone, drawn from the kept results.

python benchmarks/accuracy/picture.py docs/src/_static/accuracy.svg
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import matplotlib
import results
from matplotlib.axes import Axes
from matplotlib.figure import Figure

RESULTS = Path(__file__).resolve().parent / "results"
TABLE = "acac"
PROCESSOR = "AMD EPYC, 2 cores"
THREADS = 2


class Line(NamedTuple):
    """A model in the picture.

    :param models: names in the results; a later one replaces an earlier one of equal minutes.
    """

    label: str
    color: str
    models: tuple[str, ...]


OURS, OTHERS = 2.4, 1.6  # widths of lines, points
LABELS, APART = 95, 1.3  # minutes; ratio of the errors of two labels
LINES = (
    Line("mtt density_messages", "#0072b2", (
        "mtt-density_messages", "mtt-density_messages-compiled",
        "mtt-density_messages-large-compiled",
    )),
    Line("mtt soap_bpnn", "#56b4e9", ("mtt-soap_bpnn",)),
    Line("metatrain soap_bpnn", "#999999", ("metatrain-soap_bpnn",)),
    Line("nequip", "#d55e00", ("nequip",)),
    Line("mace", "#009e73", ("mace",)),
    Line("mtt pet (small)", "#cc79a7", ("mtt-pet-small",)),
    Line("metatrain pet (small)", "#bbbbbb", ("metatrain-pet-small",)),
)  # fmt: skip


class Point(NamedTuple):
    """A training.

    :param minutes: wall time that it used.
    :param error: force RMSE on the validation structures, meV/Å.
    :param elsewhere: whether it ran on another processor than the rest.
    """

    minutes: float
    error: float
    elsewhere: bool


def points(line: Line) -> list[Point]:
    """The trainings of one line on two threads, by the minutes that they were allowed.

    Of several runs with equal minutes the one on :data:`PROCESSOR` counts, then the last of
    ``line.models``, then the newest.
    """
    chosen: dict[float, results.Result] = {}
    for found in results.current(results.load(RESULTS, TABLE)):
        if found.model_name not in line.models or found.threads != THREADS:
            continue
        if found.failed or found.minutes is None:
            continue
        known = chosen.get(found.minutes)
        if known is None or _rank(found, line) > _rank(known, line):
            chosen[found.minutes] = found
    return [_point(found) for _, found in sorted(chosen.items())]


def _point(found: results.Result) -> Point:
    error = found.errors["validation"]["forces_rmse"]
    assert found.seconds is not None, "a run that did not fail has a time"
    assert error is not None, "forces are what the table is about"
    return Point(found.seconds / 60, error, found.processor != PROCESSOR)


def _rank(found: results.Result, line: Line) -> tuple[bool, int, str]:
    return found.processor == PROCESSOR, line.models.index(found.model_name), found.date


def draw(path: Path) -> None:
    """Write the picture; the same results make the same file."""
    matplotlib.rcParams |= {"svg.hashsalt": "accuracy", "svg.fonttype": "none", "font.size": 11}
    figure = Figure(figsize=(7.6, 4.2), layout="none")
    axes = figure.add_axes((0.1, 0.13, 0.63, 0.79))
    for line in LINES:
        _draw_line(axes, line)
    _label(axes)
    axes.set(xscale="log", yscale="log", xlim=(0.45, 80), ylim=(3, 900))
    axes.set_xticks([1, 10, 60], ["1", "10", "60"])
    axes.set_yticks([5, 10, 20, 50, 100, 200, 500], ["5", "10", "20", "50", "100", "200", "500"])
    axes.minorticks_off()
    axes.set_xlabel("training time on two CPU cores, minutes")
    axes.set_ylabel("force RMSE on validation structures, meV/Å")
    axes.set_title("acetylacetone, 450 training structures", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    if any(one.elsewhere for line in LINES for one in points(line)):
        note = "open circle: on another processor"
        axes.text(0.02, 0.03, note, transform=axes.transAxes, fontsize=8.5, color="#555555")
    figure.savefig(path, format="svg", metadata={"Date": None, "Description": description()})
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")


def description() -> str:
    """The points in words, for readers who do not see the picture."""
    rows = []
    for line in LINES:
        listed = ", ".join(f"{one.error:.1f} after {one.minutes:.1f} min" for one in points(line))
        rows.append(f"{line.label}: {listed}")
    return "Force RMSE in meV/Å. " + "; ".join(rows) + "."


def _draw_line(axes: Axes, line: Line) -> None:
    ours = line.label.startswith("mtt")
    found = points(line)
    minutes, errors = [one.minutes for one in found], [one.error for one in found]
    style, width = ("-", OURS) if ours else ("--", OTHERS)
    axes.plot(minutes, errors, style, color=line.color, linewidth=width)
    for one in found:
        face = "white" if one.elsewhere else line.color
        axes.plot(one.minutes, one.error, "o" if ours else "s", color=line.color, mfc=face)


def _label(axes: Axes) -> None:
    """Names at the ends of the lines, pushed apart where they would overlap."""
    above = float("inf")
    for line in sorted(LINES, key=lambda one: -points(one)[-1].error):
        last = points(line)[-1]
        height = min(last.error, above / APART)
        above = height
        axes.annotate(
            line.label, (last.minutes, last.error), xytext=(LABELS, height),
            color=line.color if line.label.startswith("mtt") else "#555555", fontsize=9.5,
            fontweight="bold" if line == LINES[0] else "normal", verticalalignment="center",
            arrowprops={
                "arrowstyle": "-", "color": line.color, "linewidth": 0.6, "relpos": (0, 0.5),
            },
        )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    draw(parser.parse_args().output)
