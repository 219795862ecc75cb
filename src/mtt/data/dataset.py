"""A data set: columns, what they mean, and which of their structures belong to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ase
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtt.data.info import DatasetInfo
from mtt.data.read import frames_from_atoms, spelled_out
from mtt.data.sample import Sample, pair_block, system_of, tensor_map
from mtt.data.storage.blocks import blocks_of_frames, columns_in_memory
from mtt.data.storage.columns import Columns, lacking, layout
from mtt.data.storage.pair_labels import PairLabels
from mtt.data.storage.pairs import Pairs
from mtt.data.storage.store import neighbor_lists, read_columns
from mtt.errors import DataError, did_you_mean
from mtt.graph import Target

if TYPE_CHECKING:
    from metatomic.torch import NeighborListOptions

    from mtt.data.frames import Frame


class Dataset:
    """Structures with labels. Views made by :meth:`select` share all memory.

    :param columns: the structures, in memory or mapped from disk.
    :param info: units, elements and targets.
    :param structures: [n] rows of ``columns`` that belong to the data set; None: all.
    :param notices: what the user should know about the data, in sentences.
    :param name: what its errors are reported under where there are several data sets; views
        have it too.
    """

    def __init__(
        self,
        columns: Columns,
        info: DatasetInfo,
        structures: NDArray[np.int64] | None = None,
        notices: Sequence[str] = (),
        name: str = "",
    ) -> None:
        self.columns, self.info, self.notices = columns, info, tuple(notices)
        self.name = name
        self.structures = np.arange(len(columns)) if structures is None else structures
        self.requested: list[NeighborListOptions] = []

    @classmethod
    def from_frames(
        cls,
        frames: Iterable[Frame],
        info: DatasetInfo,
        notices: Sequence[str] = (),
        *,
        name: str = "",
    ) -> Dataset:
        """A data set in memory.

        :raises DataError: the weight of a frame is negative or not finite.
        """
        columns = columns_in_memory(blocks_of_frames(frames, info), info)
        return cls(columns, info, None, notices, name)

    @classmethod
    def from_atoms(
        cls,
        atoms: Sequence[ase.Atoms],
        targets: Mapping[str, Any],
        *,
        length_unit: str = "angstrom",
        name: str = "",
        weight: float | str | None = None,
        extra_data: Mapping[str, Any] | None = None,
    ) -> Dataset:
        """A data set in memory, from structures with labels as ASE's readers give them.

        :param targets: as in the options: ``{"energy": {"key": "energy", "unit": "eV"}}``, or
            :class:`mtt.options.TargetOptions` instead of the inner dicts.
        :param name: what its errors are reported under where there are several data sets.
        :param weight: of all structures in the loss, or the key of a number per structure.
        :param extra_data: masks and inputs, as in the options: ``{"charge": {"key": "charge"}}``.
        :raises DataError: collects all mistakes in the data.
        :raises ConfigError: collects all mistakes in ``targets``.
        """
        options, extra = spelled_out(targets, extra_data or {}, length_unit)
        frames, info, notices = frames_from_atoms(atoms, options, extra, length_unit, weight)
        return cls.from_frames(frames, info, notices, name=name)

    @classmethod
    def open(cls, folder: str | Path) -> Dataset:
        """A packed data set, mapped from disk (see :func:`mtt.data.pack`).

        :raises DataError: ``folder`` holds no packed data set, or a damaged one.
        """
        columns, info = read_columns(Path(folder))
        return cls(columns, info)

    def __len__(self) -> int:
        return len(self.structures)

    def __repr__(self) -> str:
        names = ", ".join(self.info.targets)
        return f"<Dataset of {len(self)} structures, targets: {names}>"

    def select(self, indices: Sequence[int] | NDArray[np.int64] | Tensor) -> Dataset:
        """A view of the structures ``indices``, in that order.

        :raises IndexError: an index is not in the data set.
        """
        chosen = np.asarray(indices, dtype=np.int64).reshape(-1)
        if len(chosen) and (chosen.min() < 0 or chosen.max() >= len(self)):
            raise IndexError(f"the data set has {len(self)} structures")
        return self._view(self.columns, self.info, self.structures[chosen])

    def keep_targets(self, info: DatasetInfo) -> Dataset:
        """A view with the targets and extra data of ``info`` alone.

        :raises DataError: the data set lacks one of them, or knows it otherwise.
        """
        absent = lacking(self.info, info)
        if absent is not None:
            kind, _, target = absent.partition(":")
            known = [*self.info.targets, *self.info.extra_data]
            raise DataError(
                f"there are no {kind} of {target!r} like that; there are {', '.join(known)}",
                where=str(self.columns.folder or ""),
                hint=did_you_mean(target, known),
            )
        return self._view(self.columns, info, self.structures)

    def weighted(self, weight: float) -> Dataset:
        """A view in which every structure has this weight in the loss."""
        assert 0 <= weight < float("inf"), weight
        weights = torch.tensor(weight, dtype=torch.float64).expand(len(self.columns))
        columns = replace(self.columns, rows={**self.columns.rows, "weights": weights})
        return self._view(columns, self.info, self.structures)

    def _view(self, columns: Columns, info: DatasetInfo, structures: NDArray[np.int64]) -> Dataset:
        view = Dataset(columns, info, structures, self.notices, self.name)
        view.requested = list(self.requested)
        return view

    # ---- columns of the view

    @property
    def n_atoms(self) -> Tensor:
        """[n] int64."""
        return torch.from_numpy(self.columns.n_atoms[self.structures])

    @property
    def types(self) -> Tensor:
        """[all atoms] int64, atomic numbers."""
        return self._take("numbers").long()

    @property
    def volumes(self) -> Tensor:
        """[n] float64, of the cells as given; 0 without a cell."""
        return self._take("volumes")

    @property
    def weights(self) -> Tensor:
        """[n] float64, of the structures in the loss; 1 unless the options say otherwise."""
        return self._take("weights")

    def target(self, name: str) -> Target:
        """Labels of a target, or of its labelled pairs, in float64; NaN where one is missing."""
        info, labels = self.info.targets[name], self.pair_labels(name)
        if labels is not None:
            return Target(labels.values)
        return Target(
            self._take(f"values:{name}"),
            self._take(f"forces:{name}") if info.has_forces else None,
            self._take(f"strain:{name}") if info.has_strain else None,
        )

    def pair_labels(self, name: str) -> PairLabels | None:
        """What is labelled of a target of pairs; None of other targets."""
        info = self.info.targets[name]
        all_of = self.columns.labels_of_pairs(name, info.shape) if info.per_pair else None
        return None if all_of is None else all_of.of(self.structures)

    def extra(self, name: str) -> Tensor:
        """[n or all atoms, p] float64, the extra data ``name``."""
        return self._take(f"extra:{name}")

    def is_complete(self, name: str) -> tuple[bool, bool, bool]:
        """Whether every value, force and strain of the target ``name`` has a label."""
        kinds = (f"{kind}:{name}" for kind in ("values", "forces", "strain"))
        values, forces, strain = (self._is_complete(kind) for kind in kinds)
        return values, forces, strain

    def composition(self, atomic_types: Sequence[int]) -> Tensor:
        """[n, n_types] float64, atoms of each type in each structure."""
        counts = torch.zeros((len(self), len(atomic_types)), dtype=torch.float64)
        lookup = torch.full((256,), -1)
        lookup[list(atomic_types)] = torch.arange(len(atomic_types))
        first = 0
        for chunk in self.columns.chunks(self.structures):
            numbers = self.columns.take("numbers", chunk, per_atom=True).long()
            owner = torch.from_numpy(np.repeat(np.arange(len(chunk)), self.columns.n_atoms[chunk]))
            known = lookup[numbers] >= 0
            flat = owner[known] * len(atomic_types) + lookup[numbers][known]
            part = torch.bincount(flat, minlength=len(chunk) * len(atomic_types))
            counts[first : first + len(chunk)] = part.reshape(len(chunk), -1)
            first += len(chunk)
        return counts

    def first_with(self, numbers: Sequence[int]) -> tuple[int, int] | None:
        """First structure with one of these elements, and which; None if there is none."""
        sought = torch.tensor(list(numbers))
        first = 0
        for chunk in self.columns.chunks(self.structures):
            found = self.columns.take("numbers", chunk, per_atom=True).long()
            hits = torch.isin(found, sought).nonzero()
            if len(hits):
                ends = self.columns.n_atoms[chunk].cumsum()
                which = int(np.searchsorted(ends, int(hits[0]), side="right"))
                return first + which, int(found[hits[0]])
            first += len(chunk)
        return None

    # ---- neighbour lists

    def pairs(self, cutoff: float) -> Pairs:
        """Neighbour lists of all of ``self.columns``; computed once, shared by all views."""
        return neighbor_lists(self.columns, float(cutoff))

    def n_pairs(self, cutoff: float) -> Tensor:
        """[n] int64, pairs within ``cutoff`` (both directions count)."""
        return torch.from_numpy(self.pairs(cutoff).n_pairs[self.structures])

    def prepare(self, requested: Sequence[NeighborListOptions]) -> None:
        """Compute the neighbour lists that a model asks for; samples come with them."""
        for options in requested:
            self.pairs(self._cutoff(options))
            if options not in self.requested:
                self.requested.append(options)

    def _cutoff(self, options: NeighborListOptions) -> float:
        return float(options.engine_cutoff(self.info.length_unit))

    # ---- one structure

    def __getitem__(self, i: int) -> Sample:
        structure = self._structure(i)
        system = system_of(self.columns, structure)
        for options in self.requested:
            pairs = self.pairs(self._cutoff(options))
            block = pair_block(system, pairs, structure, options.full_list)
            system.add_neighbor_list(options, block)
        one, of = self.select([self._number(i)]), (self._number(i), system.types.long())
        labels = {
            name: tensor_map(name, info, one.target(name), *of, one.pair_labels(name))
            for name, info in self.info.targets.items()
        }
        for name, info in self.info.extra_data.items():
            labels[name] = tensor_map(name, info, Target(one.extra(name)), *of)
        return Sample(system, labels)

    def atoms(self, i: int) -> ase.Atoms:
        """Structure ``i`` without its labels, in the data set's unit of length."""
        which = np.array([self._structure(i)])
        return ase.Atoms(
            numbers=self.columns.take("numbers", which, per_atom=True).numpy(),
            positions=self.columns.take("positions", which, per_atom=True).numpy(),
            cell=self.columns.take("cells", which, per_atom=False)[0].numpy(),
            pbc=self.columns.take("pbc", which, per_atom=False)[0].numpy(),
        )

    def source(self, i: int) -> str:
        """Source of structure ``i``: ``train.xyz, frame 12``."""
        return self.columns.source(self._structure(i))

    def _number(self, i: int) -> int:
        return range(len(self))[i]  # negative numbers count from the end

    def _structure(self, i: int) -> int:
        return int(self.structures[self._number(i)])

    def _take(self, name: str) -> Tensor:
        per_atom = layout(self.info)[name].per_atom
        rows = self.columns.take(name, self.structures, per_atom=per_atom)
        self.columns.release()
        return rows

    def _is_complete(self, name: str) -> bool:
        spec = layout(self.info).get(name)
        return spec is not None and all(
            bool(self.columns.take(name, chunk, per_atom=spec.per_atom).isfinite().all())
            for chunk in self.columns.chunks(self.structures)
        )
