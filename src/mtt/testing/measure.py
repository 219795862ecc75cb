"""Differences between numbers that should be the same: found, judged, and told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from mtt.data.info import DatasetInfo
from mtt.graph import Target
from mtt.testing.check import CheckFailed

TINY = 1e-13
"""Differences that are none, whatever the unit."""


@dataclass(frozen=True)
class Note:
    """Something worth telling that is not judged: a time, say."""

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
    for one, other in zip(found, wanted, strict=True):
        for name, target in other.items():
            unit = info.targets[name].unit
            yield compared(f"{name}, {what}", one[name].values, target.values, tolerance, unit=unit)
            for part, words in (("forces", "forces of"), ("strain", "strain derivative of")):
                right, given = getattr(target, part), getattr(one[name], part)
                if right is None:
                    continue
                per = f"{unit}/{info.length_unit}" if part == "forces" else unit
                limit = tolerance if derivatives is None else derivatives
                yield compared(f"{words} {name}, {what}", given, right, limit, unit=per)


def judge(findings: Iterable[Measured | Note], *, to_the_end: bool) -> list[Measured | Note]:
    """All findings, if they keep the promise.

    :param to_the_end: measure all, and judge none.
    :raises CheckFailed: the first that does not.
    """
    seen: list[Measured | Note] = []
    for finding in findings:
        if isinstance(finding, Measured) and not finding.good and not to_the_end:
            raise CheckFailed(str(finding))
        seen.append(finding)
    return seen


def told(findings: Sequence[Measured | Note]) -> str:
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
