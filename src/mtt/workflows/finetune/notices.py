"""What a user should know of the labels before a fine-tuning, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from ase.data import chemical_symbols
from torch import Tensor

from mtt.data.info import TargetInfo
from mtt.data.labels.units import shown
from mtt.workflows.finetune.factors import Factor
from mtt.workflows.finetune.offsets import Verdict

Done = Literal["refitted", "kept", "given", "left"]
"""What became of the baseline: ``left`` where it is not known how to change it, or no need."""

KEY = "finetune.baseline"
_NAMED = 3  # structures


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

    def size(self, value: float) -> str:
        """``463.9 eV/atom``; small ones in meV."""
        unit = self.unit
        if abs(value) < 0.1:
            unit, factor = shown(unit)
            value *= factor
        return f"{value:.4g} {unit}".rstrip()

    @property
    def unit(self) -> str:
        """Unit of one atom's share."""
        if self.info.per_atom:
            return self.info.unit
        return f"{self.info.unit}/atom" if self.info.unit else "per atom"


def notices(subject: Subject, verdict: Verdict, done: Done, wish: str) -> Iterator[Notice]:
    """What the values of one target say.

    :param wish: the option ``finetune.baseline``.
    """
    yield from _offset(subject, verdict, done, wish)
    if verdict.factor is not None:
        yield factor_notice(f"labels of {subject.name}", verdict.factor, subject.info.unit)
    elif verdict.unexplained and not verdict.files:
        yield _rest(subject, verdict)
    if verdict.far:
        yield _far(subject, verdict)
    if verdict.files:
        yield _files(subject, verdict)


def factor_notice(what: str, found: Factor, said: str) -> Notice:
    """Notice on labels that differ from predictions by a factor.

    :param said: the unit that the options give.
    """
    if found.unit:
        reason = f"as labels in {found.unit} would"
        advice = f"the options say {said or 'no unit'}: give the unit that the labels have"
    else:
        reason = "as labels of the opposite sign would"
        advice = "forces are minus the gradient of the energy: reverse their sign"
    sentence = (
        f"{what} change {found.slope:.4g} times as much as predictions (correlation "
        f"{found.correlation:.2f}), {reason}"
    )
    return Notice(True, sentence, found.slope, "", advice)


def _offset(subject: Subject, verdict: Verdict, done: Done, wish: str) -> Iterator[Notice]:
    if not (verdict.explained or done == "refitted"):
        return
    size, left = subject.size(verdict.shift), subject.size(verdict.after)
    numbers = f"{elements(subject, verdict.offset.weights)}{_reliance(verdict)}"
    what = f"labels of {subject.name} minus predictions are {size} on average"
    if verdict.explained:
        what += (
            f"; one number per element explains {_share(verdict)}: {numbers}. Labels of another "
            "code, functional or reference, or compositions that the source has not seen?"
        )
    else:
        what += f"; one number per element: {numbers}."
    number, unit = verdict.shift, subject.unit
    if done == "refitted":
        what += f" The baseline is refitted ({KEY}: {wish})"
        what += f"; an RMSE of {left} is left" if verdict.offset.freedom > 0 else ""
        yield Notice(False, what, number, unit)
    elif done == "given":
        advice = "does it belong to these labels? Without it the offset is refitted"
        yield Notice(
            True, f"{what} The atomic_baseline of the options is kept", number, unit, advice
        )
    elif done == "kept":
        advice = f"{KEY}: refit removes it, and leaves an RMSE of {left}"
        yield Notice(True, f"{what} The baseline is kept ({KEY}: keep)", number, unit, advice)
    else:
        yield Notice(True, f"{what} The baseline of this model cannot be refitted", number, unit)


def _share(verdict: Verdict) -> str:
    """How much of the mean square residual the offset explains."""
    if verdict.offset.freedom < 1:
        return "all of it"
    share = 1.0 - (verdict.after / verdict.before) ** 2
    return "more than 99.99 % of it" if share > 0.9999 else f"{100 * share:.4g} % of it"


def _reliance(verdict: Verdict) -> str:
    offset = verdict.offset
    if offset.freedom < 1:
        return " (few structures: errors of the model may be part of it)"
    if offset.rank < offset.free:
        return f" (compositions determine {offset.rank} of {offset.free}; the smallest are taken)"
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
        f"element explains; composition alone, without the source, leaves "
        f"{subject.size(verdict.alone)}"
    )
    advice = (
        "the labels may be another quantity or wrong, or the structures are far from those of the "
        "source"
    )
    return Notice(True, what, verdict.after, subject.unit, advice)


def _far(subject: Subject, verdict: Verdict) -> Notice:
    named = [f"{subject.size(left)} in {place}" for place, left in verdict.far.items()]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    what = (
        f"labels of {subject.name} are far from predictions in a few structures: "
        f"{'; '.join(named[:_NAMED])}{more}"
    )
    advice = "did these calculations converge, and is their reference that of the others?"
    return Notice(True, what, max(map(abs, verdict.far.values())), subject.unit, advice)


def _files(subject: Subject, verdict: Verdict) -> Notice:
    named = [f"{subject.size(shift)} in {file}" for file, shift in verdict.files.items()]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    what = (
        f"references of {subject.name} differ from file to file: labels minus predictions are "
        f"{', '.join(named[:_NAMED])}{more} on average, and no common number per element fits"
    )
    advice = "give the labels of each method a target (energy/NAME), or bring them to one reference"
    spread = max(verdict.files.values()) - min(verdict.files.values())
    return Notice(True, what, spread, subject.unit, advice)
