"""Output of ``mtt learning-curve``: errors by size, the law, structures that an error needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtt.cli.render import terminal
from mtt.cli.render.progress import duration
from mtt.cli.render.quantities import number
from mtt.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from mtt.workflows.learning import LearningCurve, Point, PowerLaw

_FAR = 10.0  # times the largest size, from which a law says little
_TEST_A_LAW = 3  # sizes


def point(one: Point, part: str) -> None:
    """A line, as soon as a size is done."""
    if not terminal.is_quiet():
        errors = ", ".join(
            f"{name} {number(float(values['rmse']))} {values['unit']}".rstrip()
            for name, values in one.errors.items()
        )
        terminal.said(f"{one.n} structures ({duration(one.seconds)}): {part} RMSE {errors}")


def show(curve: LearningCurve, targets: Sequence[tuple[str, float]], folder: Path) -> None:
    """The table of errors, the laws, and what ``targets`` need.

    :raises ConfigError: a target is not one of the quantities.
    """
    units = curve.units
    terminal.done(f"RMSE on the {curve.part} set:")
    heads = ["structures", *(f"{name}\n{unit}" if unit else name for name, unit in units.items())]
    rows = [[str(one.n), *(_cell(one, name) for name in units)] for one in curve.points]
    terminal.table(heads, rows)
    for name, law in curve.laws.items():
        terminal.said(f"{name}: {_law(law)}")
    if curve.laws and len(curve.points) < _TEST_A_LAW:
        terminal.said("two sizes determine these laws and do not test them: add a third one")
    unknown = [name for name, _ in targets if name not in curve.laws]
    if unknown:
        known = ", ".join(curve.laws) or "no law: at least two sizes are needed"
        hint = did_you_mean(unknown[0], curve.laws) or f"there is {known}"
        raise ConfigError(f"no law of {unknown[0]!r}", where="--target", hint=hint)
    for name, error in targets:
        terminal.said(_needs(name, error, curve))
    terminal.done(f"wrote {folder}/learning-curve.json and .csv")


def _cell(one: Point, name: str) -> str:
    return number(float(one.errors[name]["rmse"])) if name in one.errors else "-"


def _law(law: PowerLaw) -> str:
    low, high = law.exponent_range
    if low <= 0.0:
        return (
            f"RMSE does not surely fall with the number of structures (exponent {low:.2f} to "
            f"{high:.2f}): the model or the length of the training may be the limit"
        )
    offset = f", down to {law.offset:.3g}" if law.offset else ""
    twice = 1.0 - 2.0**-law.exponent
    text = f"RMSE falls as n^-{law.exponent:.2f} ({low:.2f} to {high:.2f}){offset}"
    return f"{text}; twice the structures reduce it by {100 * twice:.0f} %"


def _needs(name: str, error: float, curve: LearningCurve) -> str:
    unit, law = curve.units[name], curve.laws[name]
    best, low, high = law.structures_for(error)
    wish = f"{name} {error:g} {unit}".rstrip()
    if math.isinf(best):
        why = f"the law levels off at {law.offset:.3g}" if law.offset else "the error does not fall"
        return f"{wish}: no number of structures is enough, {why}; a larger model may be"
    span = f"{_structures(low)} to {_structures(high)}"
    far = best > _FAR * curve.points[-1].n
    note = f"; more than {_FAR:g} times the largest size, so this is a guess" if far else ""
    return f"{wish}: needs about {_structures(best)} structures ({span}){note}"


def _structures(n: float) -> str:
    """Two significant digits; more are not known."""
    if math.isinf(n) or n > 1e12:
        return "never" if math.isinf(n) else f"{n:.1g}"
    size = 10 ** max(0, len(str(int(n))) - 2)
    return f"{max(1, round(n / size) * size):,}"
