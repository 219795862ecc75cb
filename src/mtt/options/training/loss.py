"""The loss: its terms, by target and derivative."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mtt.discovery import LOSSES
from mtt.errors import did_you_mean
from mtt.options.loss_parameters import parameter_faults, parameters_of
from mtt.options.loss_weights import weight_faults
from mtt.options.training.option import Form, option
from mtt.options.yaml.places import Fault, KeyPath

REDUCTIONS = ("mean", "sum", "structure_mean")
_KEYS = ("type", "weight", "reduction", "delta", "gradients")
_PARTS = {"positions": "forces"}


@dataclass(frozen=True)
class LossOptions:
    """The loss of one target, or of one of its derivatives.

    :param weight: a number, or numbers by epoch, ``{0: 1.0, 100: 25.0}``.
    :param delta: of the Huber losses, in units of the target's scale.
    :param gradients: loss of each derivative by its name: ``positions``, ``strain``.
    :param parameters: numbers that losses of spectra have beside these, by name.
    """

    type: str = "mse"
    weight: float | Mapping[Any, Any] = 1.0
    reduction: Literal["mean", "sum", "structure_mean"] = "mean"
    delta: float = 1.0
    gradients: Mapping[str, LossOptions] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> LossOptions:
        """From the internal form that :class:`mtt.options.loss_forms.LossExpander` makes."""
        gradients = {name: cls.of(one) for name, one in section.get("gradients", {}).items()}
        known = {key: value for key, value in section.items() if key in _KEYS}
        parameters = {key: float(section[key]) for key in section if key not in _KEYS}
        return cls(**{**known, "gradients": gradients}, parameters=parameters)

    def plain(self, *, gradients: bool = True) -> dict[str, Any]:
        """The way back."""
        weight = dict(self.weight) if isinstance(self.weight, Mapping) else self.weight
        values: dict[str, Any] = {"type": self.type, "weight": weight, "reduction": self.reduction}
        has_delta = LOSSES.facts("has_delta", False).get(self.type, False)
        if has_delta or self.delta != LossOptions.delta:
            values["delta"] = self.delta
        values |= self.parameters
        if gradients:
            inner = {name: one.plain(gradients=False) for name, one in self.gradients.items()}
            values["gradients"] = inner
        return values


def loss_faults(loss: Any, path: KeyPath) -> Iterator[Fault]:
    """What makes no loss, whatever the targets are.

    :param loss: of the internal form; a name alone is right.
    """
    for name, section in loss.items() if isinstance(loss, Mapping) else ():
        yield from _faults(section, (*path, name))
        gradients = section.get("gradients") if isinstance(section, Mapping) else None
        for gradient, inner in (gradients or {}).items():
            yield from _faults(inner, (*path, name, _PARTS.get(gradient, gradient)))


def _faults(section: Any, path: KeyPath) -> Iterator[Fault]:
    if not isinstance(section, Mapping):
        yield Fault(path, "expected a mapping")
        return
    if section.get("reduction", "mean") not in REDUCTIONS:
        what = f"unknown reduction {section['reduction']!r}"
        yield Fault(path, what, f"one of {', '.join(REDUCTIONS)}")
    parameters = parameters_of(section.get("type", "mse"))
    for key in sorted(set(section) - {*_KEYS, *parameters}):
        yield Fault(path, f"unknown option {key!r}", did_you_mean(key, _KEYS))
    yield from parameter_faults({key: section[key] for key in parameters if key in section}, path)
    if not section.get("delta", 1.0) > 0:
        yield Fault(path, "delta must be above 0")
    yield from weight_faults(section.get("weight", 1.0), (*path, "weight"))


def _read(value: str | Mapping[str, Any]) -> str | dict[str, LossOptions]:
    if isinstance(value, str):
        return value
    return {name: LossOptions.of(section) for name, section in value.items()}


def _write(value: str | Mapping[str, LossOptions]) -> str | dict[str, Any]:
    return value if isinstance(value, str) else {name: one.plain() for name, one in value.items()}


_FORM = Form(lambda: {"anyOf": [{"type": "string"}, {"type": "object"}]}, _read, _write)


@dataclass(frozen=True)
class LossSection:
    """What is minimised."""

    loss: str | Mapping[str, LossOptions] = option(
        "mse",
        "One loss for everything ($losses), or one per target: {energy: {type, weight, "
        "reduction, delta, forces: {...}, stress: {...}}}. Differences are divided by the "
        "target's scale, energies and strain derivatives by the number of atoms; delta of huber "
        "(and of huber_forces, whose delta falls with the size of the reference force) is in "
        "units of the scale. shift_agnostic_mse is for spectra; it has int_weight, "
        "grad_penalty_weight and grid_step. weight is a number, or numbers by epoch: "
        "{0: 1.0, 100: 25.0}; with interpolation: linear they are interpolated. "
        "reduction is mean (every component has the same weight), structure_mean (every "
        "structure has the same weight) or sum.",
        acts="from here",
        in_stages=True,
        form=_FORM,
    )
    per_structure_targets: tuple[str, ...] = option(
        (),
        "Targets whose loss is not divided by the number of atoms.",
        acts="from here",
    )
