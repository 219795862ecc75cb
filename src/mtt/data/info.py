"""Elements, targets and units of a data set: plain values that go into checkpoints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mtt.data import kinds

if TYPE_CHECKING:
    from mtt.data.target_kind import TargetKind

POSITIONS = "positions"
STRAIN = "strain"


@dataclass(frozen=True)
class TargetInfo:
    """One target of a data set.

    :param quantity: physical quantity (``"energy"``), or ``""``: the values are what their
        numbers are.
    :param unit: unit of the values (``"eV"``), or ``""`` where the user gave none.
    :param sample_kind: ``"system"`` (one value per structure), ``"atom"``, or ``"atom_pair"``: of
        ordered pairs of atoms within a cutoff, see :class:`mtt.Graph`.
    :param kind: ``"scalar"``, or the text of another kind, see :mod:`mtt.data.kinds`.
    :param properties: number of values (scalars, vectors, ...) per sample.
    :param gradients: derivatives with labels: by ``"positions"`` (forces), ``"strain"`` (stress).
    :param strain_name: how the user names the strain derivative, ``"stress"`` or ``"virial"``.
    :param description: free text that travels to the exported model.
    :param extensive: the value of a structure is the sum over its atoms, with a baseline by
        composition; else it is the mean. Means nothing for values per atom.
    :param aggregation: where the options say it: ``"sum"``, ``"mean"``, ``"max"`` or ``"learned"``,
        a mean with weights that the model learns.
    :param rank: numbers of an atom that a linear map of the platform makes ``properties`` of; 0:
        the network gives all of them itself.
    :param exchange: for values of pairs, ``"symmetric"`` or ``"antisymmetric"`` if the value of the
        pair (j, i) follows from that of (i, j), see :meth:`TargetKind.exchanged`.
    """

    quantity: str = ""
    unit: str = ""
    sample_kind: str = "system"
    kind: str = "scalar"
    properties: int = 1
    gradients: tuple[str, ...] = ()
    strain_name: str = "stress"
    description: str = ""
    extensive: bool = True
    aggregation: str = ""
    rank: int = 0
    exchange: str = ""

    @classmethod
    def energy(cls, unit: str = "eV", *, forces: bool = False, stress: bool = False) -> TargetInfo:
        """The common case: an energy per structure, with its derivatives."""
        gradients = ((POSITIONS,) if forces else ()) + ((STRAIN,) if stress else ())
        return cls(quantity="energy", unit=unit, gradients=gradients)

    @property
    def of_kind(self) -> TargetKind:
        """Kind of target that :attr:`kind` names.

        :raises DataError: no such kind is found.
        """
        return kinds.of(self.kind)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(*components, properties)``, the shape of one sample: ``(1,)`` of an energy."""
        return self.of_kind.shape(self.properties)

    @property
    def invariant_columns(self) -> list[list[int]]:
        """Which numbers of a sample, flattened, have a mean that does not turn with the structure.

        Those that elements may explain, by a composition: every number of a scalar by itself, the
        diagonal of a 3×3 tensor together.
        """
        if self.per_pair:  # a number of an element is not part of them
            return []
        groups, p = self.of_kind.invariant_groups, self.properties
        return [[place * p + i for place in group] for group in groups for i in range(p)]

    def invariant_part(self, values: Tensor) -> Tensor:
        """Means [n, k] of the k :attr:`invariant_columns`, from ``values`` (``[n, *shape]``)."""
        columns, flat = self.invariant_columns, values.flatten(1)
        if all(len(group) == 1 for group in columns):
            return flat[:, [group[0] for group in columns]]
        return torch.stack([flat[:, group].mean(dim=1) for group in columns], dim=1)

    def with_invariants(self, table: Tensor) -> Tensor:
        """[n, numbers of a sample] of which :meth:`invariant_part` is ``table`` [n, k]; else 0."""
        whole = table.new_zeros(len(table), math.prod(self.shape))
        for i, group in enumerate(self.invariant_columns):
            whole[:, group] = table[:, i : i + 1]
        return whole

    @property
    def has_forces(self) -> bool:
        return POSITIONS in self.gradients

    @property
    def has_strain(self) -> bool:
        return STRAIN in self.gradients

    @property
    def is_number(self) -> bool:
        """A sample is one number, whose derivatives are forces and stress."""
        return self.kind == "scalar" and self.properties == 1

    @property
    def gradient_shape(self) -> tuple[int, ...]:
        """Shape of the derivative of a sample by one coordinate: () of single numbers."""
        return () if self.is_number else self.shape

    @property
    def per_atom(self) -> bool:
        return self.sample_kind == "atom"

    @property
    def per_pair(self) -> bool:
        return self.sample_kind == "atom_pair"

    @property
    def per_structure(self) -> bool:
        return not (self.per_atom or self.per_pair)

    @property
    def is_energy(self) -> bool:
        """An extensive energy of the structure: the sum of atomic energies."""
        return self.quantity == "energy" and self.per_structure and self.kind == "scalar"

    @property
    def is_mean(self) -> bool:
        """The value of a structure does not grow with it: a mean over its atoms, or the largest."""
        return self.per_structure and not (self.extensive or self.is_energy)

    @property
    def pooling(self) -> str:
        """From values of atoms to that of a structure: an ``aggregation``, or ``"atom"`` for none.

        ``"atom"``: values of atoms are what the target is; ``"pair"``: those of pairs.
        """
        if not self.per_structure:
            return "atom" if self.per_atom else "pair"
        return self.aggregation or "mean" if self.is_mean else "sum"

    @property
    def has_constant(self) -> bool:
        """The baseline is one number, whatever the composition is.

        So of a mean that the options do not ask for by name, of the largest value (the numbers of
        elements do not add up in it) and of a mean with learned weights.
        """
        return self.is_mean and self.aggregation != "mean"

    def to_dict(self) -> dict[str, Any]:
        """Plain types only; :meth:`from_dict` reads it back.

        What is not stored of older models, whose values all are sums, is left out for sums.
        """
        values = {**asdict(self), "gradients": list(self.gradients)}
        for key in ("extensive", "aggregation", "rank", "exchange"):
            if values[key] == getattr(TargetInfo, key):
                del values[key]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TargetInfo:
        """Restore from the result of :meth:`to_dict`.

        :raises TypeError: a key is unknown, or its value of another type; also KeyError.
        """
        read = cls(**{**values, "gradients": tuple(values["gradients"])})
        for key, value in vars(read).items():
            _check_type(key, value, type(getattr(cls, key)))
        for name in read.gradients:
            _check_type("gradients", name, str)
        return read


@dataclass(frozen=True)
class DatasetInfo:
    """Description of the data that a model is made for.

    :param length_unit: unit of positions and cells (``"angstrom"``), or ``""``.
    :param atomic_types: atomic numbers, ascending; ``Graph.types`` indexes this list.
    :param targets: name to :class:`TargetInfo`, in the order of the options.
    :param extra_data: named data that are read but not trained on.
    """

    length_unit: str
    atomic_types: Sequence[int]
    targets: Mapping[str, TargetInfo]
    extra_data: Mapping[str, TargetInfo] = field(default_factory=dict)

    def with_targets(self, targets: Mapping[str, TargetInfo]) -> DatasetInfo:
        return replace(self, targets=dict(targets))

    def to_dict(self) -> dict[str, Any]:
        """Plain types only; :meth:`from_dict` reads it back."""
        return {
            "length_unit": self.length_unit,
            "atomic_types": [int(z) for z in self.atomic_types],
            "targets": {name: target.to_dict() for name, target in self.targets.items()},
            "extra_data": {name: target.to_dict() for name, target in self.extra_data.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DatasetInfo:
        """Restore from the result of :meth:`to_dict`.

        :raises TypeError: a key is unknown, or its value of another type; also KeyError,
            AttributeError.
        """
        _check_type("length_unit", values["length_unit"], str)
        for number in values["atomic_types"]:
            _check_type("atomic_types", number, int)
        return cls(
            length_unit=values["length_unit"],
            atomic_types=tuple(values["atomic_types"]),
            targets={k: TargetInfo.from_dict(v) for k, v in values["targets"].items()},
            extra_data={k: TargetInfo.from_dict(v) for k, v in values["extra_data"].items()},
        )


def _check_type(key: str, value: Any, kind: type) -> None:
    if type(value) is not kind:
        raise TypeError(f"{key}: {value!r} is not of type {kind.__name__}")
