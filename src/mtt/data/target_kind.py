"""Kinds of target values: number, vector, tensor.

A kind says which components a value has, how they turn with the structure, how labels are read and
predictions written, what the axes of a metatensor block are called, and which components an error
table shows by themselves. Kinds are found, see :mod:`mtt.data.kinds`.

Arrays of values have the shape ``[n, *components, properties]``, where ``n`` counts structures or
atoms: ``[n, properties]`` for scalars, ``[n, 3, properties]`` for vectors.
"""

from __future__ import annotations

import itertools
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtt.data.target_block import Axis, Block, Channels, Irrep

__all__ = ["Axis", "Block", "Channels", "Irrep", "TargetKind"]


@dataclass(frozen=True)
class TargetKind(ABC):
    """A kind of target; parameters are the fields of a frozen dataclass, in plain JSON types.

    A subclass in a module is registered by the module's ``KIND``.
    """

    name: ClassVar[str]
    """As options, ``__supported_targets__`` and checkpoints name it; that of its module."""

    key_names: ClassVar[tuple[str, ...]] = ("_",)
    """Names of the keys of a ``TensorMap``."""

    additive: ClassVar[bool] = True
    """Whether values of atoms may be added up, or averaged, to the value of their structure."""

    extensive: ClassVar[bool] = False
    """Whether the value of a structure is a sum over its atoms where options do not say so."""

    @property
    @abstractmethod
    def blocks(self) -> tuple[Block, ...]:
        """The blocks of a ``TensorMap``, which share out the components in this order."""

    @abstractmethod
    def rotated(self, values: Tensor, matrices: Tensor) -> Tensor:
        """``values`` ``[m, *components, properties]`` as they are once the structures are turned.

        :param matrices: [m, 3, 3], orthogonal: vectors v become Q v. Of determinant -1 where the
            turn holds an inversion.
        """

    @property
    def invariants(self) -> tuple[int, ...]:
        """Places, in the flattened components, of those that no rotation or inversion changes.

        Baselines by composition are fitted to these alone.
        """
        return ()

    @property
    def invariant_groups(self) -> tuple[tuple[int, ...], ...]:
        """Places whose mean no rotation or inversion changes; each of :attr:`invariants` is one.

        A baseline is fitted to the mean, and is the same number at all of them: of a 3×3 tensor
        those of its diagonal are one group.
        """
        return tuple((place,) for place in self.invariants)

    @property
    def irreducible(self) -> tuple[Irrep, ...]:
        """The irreducible parts of a value; none where the kind does not say.

        Models that know how to predict (l, σ) need not know the kind: see :meth:`from_irreducible`.
        """
        return ()

    @property
    def irreducible_groups(self) -> tuple[tuple[Irrep, int], ...]:
        """:attr:`irreducible` with equal neighbours counted: ``(l, σ)`` and how many there are."""
        groups = itertools.groupby(self.irreducible)
        return tuple((one, len(list(equal))) for one, equal in groups)

    def from_irreducible(self) -> Tensor:
        """[size, Σ (2l + 1)] float64: components from those of :attr:`irreducible`, m = -l … l.

        Its columns are orthonormal. ``[size, 0]`` where there are none.
        """
        return torch.zeros(self.size, 0, dtype=torch.float64)

    @property
    def symmetries(self) -> tuple[bool, bool]:
        """Of a 3×3 tensor, whether xy and yx are one, and whether xx + yy + zz is zero.

        Predictions have them exactly, whatever the architecture.
        """
        return False, False

    @property
    def parts(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Parts that extended errors list separately: name, and places in the flattened components.

        The plain errors pool all components. A name is made of the axes x, y and z (``xy``), or is
        a letter with its number (``l=1``, ``l=1,sigma=-1``), so that metrics of parts are
        recognised by their names.
        """
        return ()

    @classmethod
    def examples(cls) -> tuple[TargetKind, ...]:
        """Kinds of this class with which an architecture that names it is checked.

        The one without parameters, if there is one.
        """
        needed = [one for one in fields(cls) if one.default is MISSING]
        return () if needed else (cls(),)

    # ---- shapes

    @property
    def components(self) -> tuple[int, ...]:
        """Shape of one value, without the properties.

        The shape of the block; several blocks are concatenated along one axis.
        """
        if len(self.blocks) == 1 and self.blocks[0].channels is None:
            return self.blocks[0].shape
        return (sum(block.size for block in self.blocks),)

    @property
    def size(self) -> int:
        """Number of components."""
        return math.prod(self.components)

    @property
    def is_invariant(self) -> bool:
        """Whether no rotation or inversion changes any component."""
        return len(self.invariants) == self.size

    def shape(self, properties: int) -> tuple[int, ...]:
        """``(*components, properties)``, the shape of one sample."""
        return (*self.components, properties)

    def split(self, values: Tensor) -> list[Tensor]:
        """The blocks of ``values`` ``[n, *components, properties]``.

        Each is ``[n, *block, properties]``; of a block with channels, with as many properties for
        each of them.
        """
        if len(self.blocks) == 1 and self.blocks[0].channels is None:
            return [values]
        parts = torch.split(values, [block.size for block in self.blocks], dim=1)
        return [
            part.reshape(
                len(part), *block.shape, part.shape[-1] * block.size // math.prod(block.shape)
            )
            for part, block in zip(parts, self.blocks, strict=True)
        ]

    def joined(self, rows: Sequence[Tensor]) -> Tensor:
        """``[n, *components, properties]`` of the blocks ``[n, numbers of a sample]`` in order.

        :raises RuntimeError: another number of them than whole components have.
        """
        if not self.components:
            return rows[0]
        if len(self.blocks) == 1:
            whole: Tensor = rows[0].unflatten(1, (*self.components, -1))
            return whole
        parts = [
            row.unflatten(1, (block.size, -1)) for row, block in zip(rows, self.blocks, strict=True)
        ]
        return torch.cat(parts, dim=1)

    # ---- names

    @property
    def text(self) -> str:
        """Text in checkpoints: the name, and the parameters as JSON where there are any."""
        parameters = asdict(self)
        return f"{self.name} {json.dumps(parameters, sort_keys=True)}" if parameters else self.name

    def supported_name(self, per_atom: bool, per_pair: bool = False) -> str:
        """Name in ``__supported_targets__``."""
        return self.name + (" per atom" if per_atom else " per pair" if per_pair else "")

    # ---- values of pairs of atoms

    def for_pairs(self) -> TargetKind:
        """This kind for values of pairs of atoms; itself unless these have other components.

        :raises ValueError: pairs have no such values.
        """
        return self

    @property
    def exchange(self) -> tuple[tuple[int, int], ...]:
        """Of each flattened component its place and sign once the two atoms have changed places.

        A value of the pair (i, j) that is symmetric is that of (j, i) in these places, with these
        signs: the indices of a 3×3 tensor, or of a product, are those of the two atoms.
        """
        return tuple((place, 1) for place in range(self.size))

    # ---- labels and predictions in files

    def read(
        self, array: NDArray[np.float64], n_samples: int, properties: int
    ) -> NDArray[np.float64]:
        """``[n_samples, *components, properties]`` from the numbers under a key.

        They may have this shape, or any other with as many numbers in the same order and, of atoms,
        a row for each one. A value that lacks one component (NaN) is missing as a whole.

        :raises ValueError: another number of values.
        """
        shape = (n_samples, *self.shape(properties))
        wanted = math.prod(shape)
        if array.size != wanted or (n_samples > 1 and array.shape[0] != n_samples):
            found = f"{array.size} values" if array.ndim < 2 else f"shape {list(array.shape)}"
            of = [f"{n_samples} atoms"] * (n_samples > 1)
            of += [f"{self.size} components"] * bool(self.components)
            of = [*of, f"num_subtargets {properties}"]
            what = f"{found} where {wanted} is expected ({', '.join(of)})"
            raise ValueError(what + self._remedy(array.size / n_samples, properties))
        values = array.reshape(shape)
        if not self.components:
            return values
        axes = tuple(range(1, len(shape) - 1))
        missing = np.isnan(values).any(axis=axes, keepdims=True)
        return np.where(missing, np.nan, values)

    def _remedy(self, found: float, properties: int) -> str:
        """What to write where samples have ``found`` numbers, of another kind perhaps."""
        n, more = divmod(found, self.size)
        said = []
        if not self.components and found in (3.0, 9.0):
            rank, what = (1, "a vector") if found == 3.0 else (2, "a 3×3 tensor")
            said.append(f"{what} is type: {{cartesian: {{rank: {rank}}}}}")
        if more == 0 and n > 2 and n != properties:
            said.append(f"several numbers are num_subtargets: {n:.0f}")
        if not said and len(self.blocks) > 1:
            said.append(f"irreps: {' + '.join(str(one.size) for one in self.blocks)} components")
        return "; " + ", ".join(said) if said else ""

    def written(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n, numbers] in the order in which a file has them; :meth:`read` takes it back."""
        return values.reshape(len(values), -1)

    # ---- components that depend on the element

    @property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers that have their components, where these depend on the element.

        Every atom then has the numbers of all elements, of which only its own mean something:
        labels are NaN at the others, and predictions zero.
        """
        return tuple(dict.fromkeys(one.element for one in self.blocks if one.element))

    def own(self, numbers: NDArray[np.int64], *, second: bool = False) -> NDArray[np.bool_]:
        """[n, size] which of the components atoms of these atomic ``numbers`` [n] have.

        Of pairs those that have them as the first atom, or as the ``second`` one.
        """
        of_block = [np.full(one.size, one.second if second else one.element) for one in self.blocks]
        elements = np.concatenate(of_block)[None, :]
        found: NDArray[np.bool_] = (elements == 0) | (elements == numbers[:, None])
        return found

    def read_atoms(
        self, array: NDArray[np.float64], numbers: NDArray[np.int64], properties: int
    ) -> NDArray[np.float64]:
        """As :meth:`read`, for atoms of known elements: their atomic ``numbers`` [n]."""
        return self.read(array, len(numbers), properties)

    def written_atoms(
        self, values: NDArray[np.float64], numbers: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """As :meth:`written`, for atoms of known elements; :meth:`read_atoms` takes it back."""
        return self.written(values)
