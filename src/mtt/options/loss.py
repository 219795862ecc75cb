"""The four forms of the loss to one: every target and gradient with type, weight, reduction."""

from __future__ import annotations

from typing import Any

from mtt.errors import did_you_mean
from mtt.options.names import PLURALS
from mtt.options.peers import loss_notice
from mtt.options.places import Fault, KeyPath
from mtt.options.validate import validate
from mtt.options.values import TargetOptions

TYPES = ("mse", "mae", "huber")
_SHORT = {"forces": "positions", "stress": "strain", "virial": "strain"}
_ENTRY = {
    "type": ["string", "object"],
    "properties": {
        "type": {"type": "string"},
        "weight": {"type": "number", "minimum": 0, "x-not-available": {}},
        "reduction": {"enum": ["mean", "sum"], "x-not-available": {"none": "unreduced losses"}},
        "delta": {"type": "number", "exclusiveMinimum": 0},
    },
}


class LossExpander:
    """Expands ``architecture.training.loss``.

    :param targets: the targets of the training set.
    :param types: types of loss that the trainer knows; None: any.
    """

    def __init__(self, targets: dict[str, TargetOptions], types: tuple[str, ...] | None) -> None:
        self.targets = targets
        self.types = types
        self.faults: list[Fault] = []

    def expand(self, loss: Any, path: KeyPath) -> dict[str, Any]:
        """The internal form ``{target: {type, weight, reduction, gradients: {...}}}``.

        A text is the type of everything; a type given for one target does not hold for its
        gradients (metatrain's rule). Left out: mse with weight 1.
        """
        if isinstance(loss, str):
            self._check_type(loss, path)
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
            name: self._target(*entries.get(name, ({}, (*path, name))), target)
            for name, target in self.targets.items()
        }

    def _uniform(self, kind: str, target: TargetOptions) -> dict[str, Any]:
        gradients = {name: _filled({"type": kind}) for name in _gradients(target)}
        return {**_filled({"type": kind}), "gradients": gradients}

    def _target(self, entry: Any, path: KeyPath, target: TargetOptions) -> dict[str, Any]:
        term = self._term(entry, path)
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
            name: _filled(self._term(*given.get(name, ({}, (*path, "gradients", name)))))
            for name in known
        }
        return {**_filled(term), "gradients": gradients}

    def _term(self, entry: Any, path: KeyPath) -> dict[str, Any]:
        """One term as a mapping, checked."""
        if entry is None:
            return {}
        wrong = validate(entry, _ENTRY, path)
        self.faults.extend(wrong)
        if isinstance(entry, str):
            self._check_type(entry, path)
            return {"type": entry}
        if wrong or not isinstance(entry, dict):
            return {}
        if "type" in entry and not self._check_type(entry["type"], (*path, "type")):
            return {}  # its keys are not known either
        known = {"type", "weight", "reduction", "delta", "gradients", *_SHORT}
        for key in entry if self.types else ():
            if key == "sliding_factor":
                what = "not available yet: sliding weights ('sliding_factor')"
                self.faults.append(Fault((*path, key), what, "leave it out"))
            elif key not in known:
                self.faults.append(Fault((*path, key), "unknown key", did_you_mean(key, known)))
        return dict(entry)

    def _check_type(self, kind: str, path: KeyPath) -> bool:
        if self.types is None or kind in self.types:
            return True
        what = loss_notice(kind) or f"unknown loss {kind!r}"
        hint = did_you_mean(kind, self.types) or f"losses: {', '.join(self.types)}"
        self.faults.append(Fault(path, what, hint))
        return False


def _gradients(target: TargetOptions) -> tuple[str, ...]:
    """The internal names of the gradients that ``target`` is trained on."""
    strain = target.stress or target.virial
    return ("positions",) * bool(target.forces) + ("strain",) * bool(strain)


def _filled(term: dict[str, Any]) -> dict[str, Any]:
    filled = {"type": "mse", "weight": 1.0, "reduction": "mean", **term}
    filled["weight"] = float(filled["weight"])
    if filled["type"] == "huber":
        filled.setdefault("delta", 1.0)
    return filled
