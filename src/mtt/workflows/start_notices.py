"""What a user should know of the labels before a fine-tuning, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from ase.data import chemical_symbols
from torch import Tensor

from mtt.data.info import TargetInfo
from mtt.data.units import shown
from mtt.workflows.start_factors import Factor
from mtt.workflows.start_offsets import Verdict

Done = Literal["refitted", "kept", "given", "left"]
"""What became of the baseline: ``left`` where it is not known how to change it, or no need."""

KEY = "finetune.baseline"


class Notice(NamedTuple):
    """One sentence.

    :param warns: whether something may be wrong.
    :param number: what was measured, per atom in ``unit``; or None.
    :param advice: what to do.
    """

    warns: bool
    what: str
    number: float | None = None
    unit: str = ""
    advice: str = ""

    def __str__(self) -> str:
        return f"step 0: {self.what}" + (f"; {self.advice}" if self.advice else "")


class Subject(NamedTuple):
    """What the sentences are about.

    :param name: the target, and the source's whose head it has: ``energy/xtb (from energy)``.
    """

    name: str
    info: TargetInfo
    atomic_types: Sequence[int]
    length_unit: str

    def size(self, value: float) -> str:
        """``463.9 eV/atom``; small ones in meV."""
        unit = self.unit
        if abs(value) < 0.1:
            unit, factor = shown(unit)
            value *= factor
        return f"{value:.4g} {unit}".rstrip()

    @property
    def unit(self) -> str:
        """Of one atom's share."""
        if self.info.per_atom:
            return self.info.unit
        return f"{self.info.unit}/atom" if self.info.unit else "per atom"


def notices(subject: Subject, verdict: Verdict, done: Done, wish: str) -> Iterator[Notice]:
    """All of one target.

    :param wish: the option ``finetune.baseline``.
    """
    yield from _offset(subject, verdict, done, wish)
    if verdict.factor or verdict.force_factor:
        yield _factor(subject, verdict)
    elif verdict.unexplained:
        yield _rest(subject, verdict)
    if verdict.files:
        yield _files(subject, verdict)


def _offset(subject: Subject, verdict: Verdict, done: Done, wish: str) -> Iterator[Notice]:
    if not (verdict.explained or done == "refitted"):
        return
    size, left = subject.size(verdict.shift), subject.size(verdict.after)
    what = f"labels of {subject.name} minus predictions are {size} on average"
    if verdict.explained:
        what += (
            f": {_share(verdict)} of it is one number per element{_reliance(verdict)}, "
            f"{elements(subject, verdict.offset.weights)}, as of labels of another code, "
            "functional or reference"
        )
    number, unit = verdict.shift, subject.unit
    if done == "refitted":
        if not verdict.explained:
            what += f"; the numbers are {elements(subject, verdict.offset.weights)}"
        ending = f"; the baseline is refitted ({KEY}: {wish}), and an RMSE of {left} is left"
        yield Notice(False, what + ending, number, unit)
    elif done == "given":
        advice = "does it belong to these labels? Leave it out, and the offset is refitted"
        yield Notice(True, f"{what}; atomic_baseline is kept as given", number, unit, advice)
    elif done == "kept":
        advice = f"{KEY}: refit takes it off, and leaves an RMSE of {left}"
        yield Notice(True, f"{what}; the baseline is kept ({KEY}: keep)", number, unit, advice)
    else:
        yield Notice(True, f"{what}; this model's baseline cannot be refitted", number, unit)


def _share(verdict: Verdict) -> str:
    """How much of the mean square residual the offset explains."""
    if verdict.offset.freedom < 1:
        return "all"
    share = 1.0 - (verdict.after / verdict.before) ** 2
    return "more than 99.99 %" if share > 0.9999 else f"{100 * share:.4g} %"


def _reliance(verdict: Verdict) -> str:
    offset = verdict.offset
    if offset.freedom < 1:
        return " (there are too few structures to tell it from errors of the model)"
    if offset.rank < offset.free:
        return (
            f" (the smallest that fit; these compositions determine {offset.rank} of {offset.free})"
        )
    return ""


def elements(subject: Subject, weights: Tensor) -> str:
    """``H -12.3, C +4.5 eV`` of the elements that are not zero."""
    named = [
        f"{chemical_symbols[int(z)]} {' '.join(f'{value:+.4g}' for value in row)}"
        for z, row in zip(subject.atomic_types, weights.tolist(), strict=True)
        if any(row)
    ]
    return f"{', '.join(named) or 'zero'} {subject.info.unit}".rstrip()


def _rest(subject: Subject, verdict: Verdict) -> Notice:
    what = (
        f"an RMSE of {subject.size(verdict.after)} of {subject.name} is left that no number per "
        f"element explains: more than the labels vary ({subject.size(verdict.alone)} beyond what "
        "their composition explains)"
    )
    advice = (
        "the labels may have another unit or be another quantity, or the structures are far from "
        "those of the source"
    )
    return Notice(True, what, verdict.after, subject.unit, advice)


def _factor(subject: Subject, verdict: Verdict) -> Notice:
    found = [("values", verdict.factor), ("forces", verdict.force_factor)]
    said = [
        f"{part} change {one.slope:.4g} times as much as predictions (correlation "
        f"{one.correlation:.2f}), as {_reason(one)} do"
        for part, one in found
        if one is not None
    ]
    what = f"labels of {subject.name} have another unit or sign than the source: {', '.join(said)}"
    unit = subject.info.unit or "none"
    advice = f"the options say {unit}; give the unit that the labels have, or convert them"
    return Notice(True, what, verdict.after, subject.unit, advice)


def _reason(one: Factor) -> str:
    return f"labels in {one.unit}" if one.unit else "labels of the opposite sign"


def _files(subject: Subject, verdict: Verdict) -> Notice:
    off = ", ".join(f"{subject.size(left)} in {file}" for file, left in verdict.files.items())
    what = f"references of {subject.name} differ from file to file: common numbers leave {off}"
    advice = "give the labels of each method a target (energy/NAME), or bring them to one reference"
    return Notice(True, what, max(map(abs, verdict.files.values())), subject.unit, advice)
