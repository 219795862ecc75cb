"""The four forms of the loss to one: every target and gradient with type, weight, reduction."""

from __future__ import annotations

from typing import Any

from mtt.discovery import LOSSES
from mtt.errors import ConfigError, did_you_mean
from mtt.options.kinds import SCALAR
from mtt.options.loss_parameters import (
    for_spectra,
    is_for_spectra,
    is_spectrum,
    parameter_faults,
    parameters_of,
)
from mtt.options.loss_weights import plain_weight, weight_faults
from mtt.options.metatrain.known_names import loss_notice
from mtt.options.names import PLURALS
from mtt.options.schema.validate import validate
from mtt.options.values import TargetOptions
from mtt.options.yaml.places import Fault, KeyPath

_SHORT = {"forces": "positions", "stress": "strain", "virial": "strain"}
_ENTRY: dict[str, Any] = {
    "type": ["string", "object"],
    "properties": {
        "type": {"type": "string"},
        "weight": {"type": ["number", "object"], "minimum": 0},
        "reduction": {
            "enum": ["mean", "sum", "structure_mean"],
            "x-not-available": {"none": "unreduced losses"},
        },
        "delta": {"type": "number", "exclusiveMinimum": 0},
    },
}


_FOREIGN: dict[str, Any] = {  # what trainers that are not the platform's may rely on
    "type": _ENTRY["type"],
    "properties": {
        **_ENTRY["properties"],
        "weight": {"type": "number", "minimum": 0},
        "reduction": {**_ENTRY["properties"]["reduction"], "enum": ["mean", "sum"]},
    },
}


def by_own_name(kind: str) -> str:
    """A type of loss by its own name: metatrain's ``masked_mse`` is ``mse``."""
    aliases = LOSSES.facts("aliases", ())
    return next((name for name, others in aliases.items() if kind in others), kind)


def is_for_forces_only(kind: str) -> bool:
    """Whether the loss ``kind`` has a meaning for forces alone.

    :raises ConfigError: there is no such loss, or it cannot be used.
    """
    return LOSSES.fact(kind, "only_forces", False)


def forces_only(kind: str) -> tuple[str, str]:
    """Message and hint for a loss of forces that is given for another part."""
    return f"{kind} is for forces", f"write {{energy: {{type: huber, forces: {kind}}}}}"


class LossExpander:
    """Expands ``architecture.training.loss``.

    :param targets: the targets of the training set.
    :param ours: whether the trainer takes the losses of the platform; else any types and keys.
    """

    def __init__(self, targets: dict[str, TargetOptions], ours: bool) -> None:
        self.targets = targets
        self.ours = ours
        self.faults: list[Fault] = []

    def expand(
        self, loss: Any, path: KeyPath, below: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The internal form ``{target: {type, weight, reduction, gradients: {...}}}``.

        A text is the type of everything; a type given for one target does not hold for its
        gradients (metatrain's rule). Left out: mse with weight 1.

        :param below: a loss in its internal form, that of the whole training below that of a
            stage: a mapping by target keeps the targets that it does not mention.
        """
        if isinstance(loss, str):
            loss = self._type(loss, path, "values")
            for target in self.targets.values() if self.ours else ():
                self._check_spectrum(loss, path, target)
            return {name: self._uniform(loss, target) for name, target in self.targets.items()}
        if not isinstance(loss, dict):
            self.faults.append(Fault(path, "expected the name of a loss, or a mapping by target"))
            return {}
        entries = {}
        for written, entry in loss.items():
            name = PLURALS.get(written, written)
            if name in self.targets:
                entries[name] = (entry, (*path, written))
            else:
                hint = did_you_mean(written, self.targets) or f"targets: {', '.join(self.targets)}"
                self.faults.append(
                    Fault((*path, written), "not a target of the training set", hint)
                )
        return {
            name: self._target(
                *entries.get(name, ({}, (*path, name))), target, (below or {}).get(name, {})
            )
            for name, target in self.targets.items()
        }

    def _uniform(self, kind: str, target: TargetOptions) -> dict[str, Any]:
        gradients = {name: _filled({"type": kind}) for name in _gradients(target)}
        return {**_filled({"type": kind}), "gradients": gradients}

    def _target(
        self, entry: Any, path: KeyPath, target: TargetOptions, below: dict[str, Any]
    ) -> dict[str, Any]:
        term = self._term(entry, path, "values")
        place = (*path, "type") if isinstance(entry, dict) else path
        self._check_spectrum(term.get("type", "mse") if self.ours else "mse", place, target)
        written = term.pop("gradients", None) or {}
        if not isinstance(written, dict):
            self.faults.append(Fault((*path, "gradients"), "expected a mapping"))
            written = {}
        given = {name: (value, (*path, "gradients", name)) for name, value in written.items()}
        for short, name in _SHORT.items():
            if short in term:
                value = term.pop(short)
                if name in given:
                    self.faults.append(Fault((*path, short), f"the {name} loss is given twice"))
                given[name] = (value, (*path, short))
        known = _gradients(target)
        for name, (_, place) in given.items():
            if name not in known:
                hint = did_you_mean(name, known) or "the target has no such gradient; leave it out"
                self.faults.append(Fault(place, "no such gradient", hint))
        gradients = {
            name: _filled(
                self._term(*given.get(name, ({}, (*path, "gradients", name))), name),
                below.get("gradients", {}).get(name, {}),
            )
            for name in known
        }
        return {**_filled(term, below), "gradients": gradients}

    def _term(self, entry: Any, path: KeyPath, part: str) -> dict[str, Any]:
        """One term as a mapping, checked."""
        if entry is None:
            return {}
        wrong = validate(entry, _ENTRY if self.ours else _FOREIGN, path)
        self.faults.extend(wrong)
        if isinstance(entry, str):
            return {"type": self._type(entry, path, part)}
        if wrong or not isinstance(entry, dict):
            return {}
        term: dict[str, Any] = dict(entry)
        if "weight" in term:
            wrong = weight_faults(term["weight"], (*path, "weight"))
            self.faults += wrong
            term["weight"] = 1.0 if wrong else plain_weight(term["weight"])
        if "type" in term:
            n_faults = len(self.faults)
            term["type"] = self._type(term["type"], (*path, "type"), part)
            if len(self.faults) > n_faults:
                return {}  # its keys are not known either
        parameters = parameters_of(term.get("type", "mse"))
        given = {key: term[key] for key in parameters if key in term}
        self.faults += parameter_faults(given, path)
        known = {"type", "weight", "reduction", "delta", "gradients", *parameters, *_SHORT}
        for key in term if self.ours else ():
            if key == "sliding_factor":
                what = "not available yet: sliding weights ('sliding_factor')"
                self.faults.append(Fault((*path, key), what, "leave it out"))
            elif key not in known:
                self.faults.append(Fault((*path, key), "unknown key", did_you_mean(key, known)))
        return term

    def _check_spectrum(self, kind: str, path: KeyPath, target: TargetOptions) -> None:
        """Refuse a loss of spectra for a target that is none."""
        if not is_spectrum(kind, target.kind != SCALAR, target.num_subtargets):
            self.faults.append(Fault(path, *for_spectra(kind)))

    def _type(self, kind: str, path: KeyPath, part: str) -> str:
        """``kind`` by its own name, checked."""
        if not self.ours:
            return kind
        kind = by_own_name(kind)
        try:
            LOSSES.fact(kind, "has_delta", False)
            if is_for_forces_only(kind) and part != "positions":
                self.faults.append(Fault(path, *forces_only(kind)))
            elif is_for_spectra(kind) and part != "values":
                self.faults.append(Fault(path, *for_spectra(kind)))
        except ConfigError as error:
            ((what, _, hint),) = error.problems
            self.faults.append(Fault(path, loss_notice(kind) or what, hint))
        return kind


def _gradients(target: TargetOptions) -> tuple[str, ...]:
    """The internal names of the gradients that ``target`` is trained on."""
    strain = target.stress or target.virial or target.strain
    return ("positions",) * bool(target.forces or target.positions) + ("strain",) * bool(strain)


def _filled(term: dict[str, Any], below: dict[str, Any] | None = None) -> dict[str, Any]:
    """``term`` over ``below`` over the defaults."""
    kept = {key: value for key, value in (below or {}).items() if key != "gradients"}
    filled = {"type": "mse", "weight": 1.0, "reduction": "mean", **kept, **term}
    if _has_delta(filled["type"]):
        filled.setdefault("delta", 1.0)
    elif "delta" not in term:
        filled.pop("delta", None)
    parameters = parameters_of(filled["type"])
    foreign = (parameters_of((below or {}).get("type", "mse")).keys() - parameters.keys()) - {*term}
    own = {key: value for key, value in filled.items() if key not in foreign}
    return {**parameters, **own}


def _has_delta(kind: str) -> bool:
    try:
        return LOSSES.fact(kind, "has_delta", False)
    except ConfigError:  # already a fault, or a loss that only another trainer knows
        return False
