"""Training options by the names of older metatrain versions, put in today's where they mean
the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtt.options.values import GRADIENTS, TargetOptions
from mtt.options.yaml.places import Fault, KeyPath

PER_RANK = "batch_size_per_rank"


class Modernizer:
    """Renames old options of ``architecture.training``.

    An option is old only where the architecture does not know it and knows the new name; a
    foreign trainer may well call something ``batch_atom_bounds``.

    :param known: the defaults of the training section.
    :param targets: the targets of the training set.
    """

    def __init__(self, known: Mapping[str, Any], targets: Mapping[str, TargetOptions]) -> None:
        self.known = known
        self.targets = targets
        self.faults: list[Fault] = []
        self.notices: list[Fault] = []

    def __call__(self, training: Mapping[str, Any], path: KeyPath) -> dict[str, Any]:
        """Translate ``training``, the section at ``path``, to current names."""
        section = dict(training)
        if self._is_old(section, "fixed_composition_weights", "atomic_baseline"):
            self._rename(section, path, "fixed_composition_weights", "atomic_baseline")
        if self._is_old(section, "batch_atom_bounds", "max_atoms_per_batch"):
            self._bounds(section, path)
        if self._is_old(section, "remove_composition_contribution", "atomic_baseline"):
            self._composition(section, path)
        if section.get("distributed") is True and self._is_old(section, "distributed", PER_RANK):
            self._distributed(section, path)
        if "loss" in self.known and isinstance(section.get("loss"), dict):
            section["loss"] = self._loss(section["loss"], (*path, "loss"))
        return section

    def _is_old(self, section: Mapping[str, Any], old: str, new: str) -> bool:
        return old in section and old not in self.known and new in self.known

    def _rename(self, section: dict[str, Any], path: KeyPath, old: str, new: str) -> None:
        value = section.pop(old)
        if new in section:
            self.faults.append(Fault((*path, old), f"the old name of {new!r}, which is given too"))
            return
        self.notices.append(Fault((*path, old), f"deprecated name; use {new!r}"))
        section[new] = value

    def _distributed(self, section: dict[str, Any], path: KeyPath) -> None:
        """metatrain counts ``batch_size`` on each of its processes."""
        del section["distributed"]
        if section.get(PER_RANK) is None:
            section[PER_RANK] = section.get("batch_size", self.known["batch_size"])
        what = f"batch_size counts for each process, as in metatrain; write {PER_RANK} instead"
        self.notices.append(Fault((*path, "distributed"), what))

    def _bounds(self, section: dict[str, Any], path: KeyPath) -> None:
        here = (*path, "batch_atom_bounds")
        bounds = section.pop("batch_atom_bounds")
        if bounds is None:
            return
        if not isinstance(bounds, list) or len(bounds) != 2:
            self.faults.append(Fault(here, "expected [min, max]", "use max_atoms_per_batch"))
            return
        names = ("min_atoms_per_batch", "max_atoms_per_batch")
        for name, bound, unset in zip(names, bounds, (0, None), strict=True):
            if name in section:
                self.faults.append(Fault(here, f"contradicts {name!r}", f"use {name!r} alone"))
            section[name] = unset if bound is None else bound
        self.notices.append(Fault(here, f"deprecated; use {names[0]!r} and {names[1]!r}"))

    def _composition(self, section: dict[str, Any], path: KeyPath) -> None:
        here = (*path, "remove_composition_contribution")
        if section.pop("remove_composition_contribution") is True:
            self.notices.append(Fault(here, "deprecated and always on; leave it out"))
        else:
            what = "not available yet: training without a composition baseline"
            self.faults.append(Fault(here, what, "'atomic_baseline' can fix it at zero"))

    def _loss(self, loss: dict[str, Any], path: KeyPath) -> dict[str, Any]:
        """``sliding_factor: null`` dropped; ``{type, weights, reduction}`` by target."""
        if "weights" in loss and not isinstance(loss.get("weights"), str):
            return self._weighted(loss, path)
        return {name: self._without_sliding(entry, (*path, name)) for name, entry in loss.items()}

    def _without_sliding(self, entry: Any, path: KeyPath) -> Any:
        if not isinstance(entry, dict):
            return entry
        kept = {key: self._without_sliding(value, (*path, key)) for key, value in entry.items()}
        if "sliding_factor" in kept and kept["sliding_factor"] is None:
            del kept["sliding_factor"]
            here = (*path, "sliding_factor")
            self.notices.append(Fault(here, "deprecated and without effect; leave it out"))
        return kept

    def _weighted(self, loss: dict[str, Any], path: KeyPath) -> dict[str, Any]:
        kind, reduction = loss.get("type", "mse"), loss.get("reduction", "mean")
        weights = loss["weights"] or {}
        unknown = [key for key in loss if key not in ("type", "weights", "reduction")]
        if not isinstance(kind, str) or not isinstance(weights, dict) or unknown:
            what = "not available yet: this old form of the loss"
            self.faults.append(Fault(path, what, "write {target: {type, weight, forces: ...}}"))
            return {}
        self.notices.append(
            Fault(path, "deprecated form; write {target: {type, weight, forces: {...}}}")
        )
        result: dict[str, Any] = {}
        for name, target in self.targets.items():
            term = {"type": kind, "reduction": reduction, "weight": 1.0}
            gradients = [gradient for gradient in GRADIENTS if getattr(target, gradient)]
            result[name] = {**term, **{gradient: dict(term) for gradient in gradients}}
        owners = [name for name in self.targets if any(g in result[name] for g in GRADIENTS)]
        for name, weight in weights.items():
            here = (*path, "weights", name)
            if name in result:
                result[name]["weight"] = weight
            elif name not in GRADIENTS:
                self.faults.append(Fault(here, "not a target of the training set"))
            elif len(owners) == 1 and name in result[owners[0]]:
                result[owners[0]][name]["weight"] = weight
            else:
                self.faults.append(
                    Fault(here, f"not one target has {name}", "weigh them by target")
                )
        return result
