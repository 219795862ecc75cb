"""Differences between numbers that should be the same: measured, judged, and reported."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from torch import Tensor

from mtt.data.info import DatasetInfo
from mtt.graph import Target
from mtt.testing.failure import CheckFailed

TINY = 1e-13
"""Differences that are none, whatever the unit."""


@dataclass(frozen=True)
class Note:
    """A value that is reported and not judged, such as a time."""

    text: str


@dataclass(frozen=True)
class Measured:
    """How far numbers are from what they should be.

    :param what: the quantity, and what was done: ``"forces of energy, rotated"``.
    :param difference: the largest one, in ``unit``.
    :param magnitude: the largest number of the same kind.
    :param allowed: largest difference, in ``unit``, that keeps the promise.
    :param unit: of the difference; empty if it has none.
    :param verb: how the quantity and the difference go together.
    :param where: in which structure; the rest is the same for others.
    """

    what: str
    difference: float
    magnitude: float
    allowed: float
    unit: str = ""
    verb: str = "differ by"
    where: str = ""

    @property
    def good(self) -> bool:
        return self.difference <= self.allowed  # not so for NaN

    @property
    def relative(self) -> float:
        """The difference in units of the largest number."""
        return self.difference / self.magnitude if self.magnitude else self.difference

    def __str__(self) -> str:
        place = f" in {self.where}" if self.where else ""
        amount = " ".join(filter(None, [f"{self.difference:.1e}", self.unit]))
        return f"{self.what}{place}: {self.verb} {amount}, the largest is {self.magnitude:.1e}"


def compared(
    what: str,
    found: Tensor,
    wanted: Tensor,
    tolerance: float,
    *,
    size: float = 0.0,
    unit: str = "",
    where: str = "",
) -> Measured:
    """``found`` against ``wanted``.

    :param tolerance: relative to the largest number.
    :param size: magnitude that the numbers have where they are not small by cancellation.
    :raises CheckFailed: they are not as many.
    """
    if found.shape != wanted.shape:
        raise CheckFailed(f"{what}: {list(found.shape)} numbers, not {list(wanted.shape)}")
    if found.numel() == 0:
        return Measured(what, 0.0, size, tolerance * size + TINY, unit, where=where)
    magnitude = max(float(found.abs().max()), float(wanted.abs().max()), size)
    difference = float((found - wanted).abs().max())
    return Measured(what, difference, magnitude, tolerance * magnitude + TINY, unit, where=where)


def agreement(
    info: DatasetInfo,
    found: Sequence[dict[str, Target]],
    wanted: Sequence[dict[str, Target]],
    tolerance: float,
    what: str,
    *,
    derivatives: float | None = None,
) -> Iterator[Measured]:
    """Predictions against those wanted: values, and forces and strain derivatives if there are.

    :param tolerance: of values, and of derivatives unless ``derivatives`` says another one.
    :param what: in which the two differ: ``"rotated"``.
    """
    limit = tolerance if derivatives is None else derivatives
    for one, other in zip(found, wanted, strict=True):
        for name, right in other.items():
            given, unit = one[name], info.targets[name].unit
            values = compared(f"{name}, {what}", given.values, right.values, tolerance, unit=unit)
            yield values if given.forces is None else _per_atom(values, len(given.forces))
            if given.forces is not None and right.forces is not None:
                yield compared(f"forces of {name}, {what}", given.forces, right.forces, limit,
                               unit=f"{unit}/{info.length_unit}")  # fmt: skip
            if given.strain is not None and right.strain is not None:
                yield compared(f"strain derivative of {name}, {what}", given.strain, right.strain,
                               limit, unit=unit)  # fmt: skip


def _per_atom(total: Measured, n: int) -> Measured:
    return replace(
        total,
        difference=total.difference / n,
        magnitude=total.magnitude / n,
        allowed=total.allowed / n,
        unit=f"{total.unit} per atom",
    )


def judge(findings: Iterable[Measured | Note], *, to_the_end: bool) -> list[Measured | Note]:
    """All findings, if they keep the promise.

    :param to_the_end: measure all, and judge none.
    :raises CheckFailed: the first that does not.
    """
    seen: list[Measured | Note] = []
    with ExitStack() as stack:
        if isinstance(findings, Generator):
            stack.callback(findings.close)  # it may hold files where it waits
        for finding in findings:
            if isinstance(finding, Measured) and not finding.good and not to_the_end:
                raise CheckFailed(str(finding))
            seen.append(finding)
    return seen


def reported(findings: Sequence[Measured | Note]) -> str:
    """The worst of each quantity, and all notes."""
    worst: dict[str, Measured] = {}
    notes = []
    for finding in findings:
        if isinstance(finding, Note):
            notes.append(finding.text)
            continue
        so_far = worst.get(finding.what)
        if so_far is None or not finding.relative <= so_far.relative:
            worst[finding.what] = finding
    return "; ".join([*map(_short, worst.values()), *notes])


def _short(finding: Measured) -> str:
    amount = " ".join(filter(None, [f"{finding.difference:.1e}", finding.unit]))
    return f"{finding.what}: {amount} (relative {finding.relative:.1e})"
