"""Predictions as metatensor's files, one ``TensorMap`` for each target and output of features.

``-o out.mts`` writes ``out_energy.mts``, ``out_mtt::dipole.mts`` and so on, as metatrain does. What
cannot be in the name of a file, ``/``, is ``_`` there. The samples are ``system``, the number of
the structure in its data set, and ``atom``; derivatives are gradients of the blocks, see
:func:`mtt.data.tensor_maps.target_map`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import metatensor.torch as mts
import torch
from metatensor.torch import TensorMap
from torch import Tensor

from mtt.checkpoint.temporary import open_temporary
from mtt.data import Dataset
from mtt.data.info import TargetInfo
from mtt.data.tensor_maps import feature_map, target_map
from mtt.errors import ConfigError
from mtt.evaluation.features import SampleKind
from mtt.evaluation.predict import Prediction
from mtt.evaluation.systems import on_device
from mtt.graph import Target

SUFFIX = ".mts"


class TensorWriter:
    """Collects predictions, and writes all files at the end; a context manager.

    Each file is renamed when it is complete. Predictions are kept in memory until then.

    :param path: ``out.mts``, from which the names of the files are made.
    :param dataset: the structures.
    :param targets: what is predicted.
    :param references: write labels too, as ``out_REF_energy.mts``.
    :param features: what features are of, where there are some.
    :raises ConfigError: there is no such folder, or it cannot be written to.
    """

    def __init__(
        self,
        path: str | Path,
        dataset: Dataset,
        targets: Mapping[str, TargetInfo],
        *,
        references: bool = False,
        features: SampleKind = "atom",
    ) -> None:
        self.path = Path(path)
        if not self.path.parent.is_dir():
            hint = f"there is no folder {self.path.parent}"
            raise ConfigError("cannot be written", where=str(path), hint=hint)
        if not os.access(self.path.parent, os.W_OK):
            raise ConfigError("cannot be written: its folder is read-only", where=str(path))
        self._dataset, self._targets, self._references = dataset, targets, references
        self._of = features
        self._found: dict[str, list[tuple[Target, tuple[int, int]]]] = {}
        self._features: dict[str, list[Tensor]] = {}
        self._pairs: list[Tensor] = []  # of the structures in the data set

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            return
        for name, tensor in self._maps().items():
            self._save(self.file_of(name), tensor)

    def file_of(self, name: str) -> Path:
        """The file of the target or output ``name``."""
        return self.path.with_name(f"{self.path.stem}_{name.replace('/', '_')}{SUFFIX}")

    def write(self, prediction: Prediction) -> None:
        """Add the structures of one batch; batches come in the order of the data set."""
        for name, target in prediction.targets.items():
            one = on_device(target, torch.device("cpu"))
            sizes = int(prediction.n_atoms.sum()), len(prediction.index)
            self._found.setdefault(name, []).append((one, sizes))
        if prediction.pairs is not None:
            owner = prediction.index.cpu()[prediction.pairs[:, 0]]
            self._pairs.append(torch.cat([owner[:, None], prediction.pairs[:, 1:]], dim=1))
        for name, values in prediction.features.items():
            self._features.setdefault(name, []).append(values.cpu())

    def _maps(self) -> dict[str, TensorMap]:
        n_atoms = self._dataset.n_atoms
        numbers = torch.arange(len(n_atoms))
        of = numbers, n_atoms, self._dataset.types
        maps: dict[str, TensorMap] = {}
        pairs = torch.cat(self._pairs) if self._pairs else None
        for name, parts in self._found.items():
            maps[name] = target_map(name, self._targets[name], _joined(parts), *of, pairs)
        for name, rows in self._features.items():
            own = n_atoms if self._of == "atom" else None
            maps[name] = feature_map(torch.cat(rows), numbers, own)
        for name, info in self._dataset.info.targets.items() if self._references else ():
            labels, labelled = self._dataset.target(name), self._dataset.pair_labels(name)
            own_pairs = None if labelled is None else labelled.samples()
            maps[f"REF_{name}"] = target_map(name, info, labels, *of, own_pairs)
        return maps

    def _save(self, path: Path, tensor: TensorMap) -> None:
        content = mts.save_buffer(tensor).numpy().tobytes()
        try:
            temporary, file = open_temporary(path, "xb")
            try:
                with file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}", where=str(path)) from error


def _joined(parts: list[tuple[Target, tuple[int, int]]]) -> Target:
    """All batches, one after the other, in float64.

    :param parts: with the numbers of atoms and of structures of each one.
    """

    def join(name: str, k: int) -> Tensor | None:
        rows = [(getattr(one, name), sizes[k]) for one, sizes in parts]
        known = next((one for one, _ in rows if one is not None), None)
        if known is None:
            return None
        # a constant, such as the energy of an isolated atom, has no derivative: it is zero
        filled = [known.new_zeros(n, *known.shape[1:]) if one is None else one for one, n in rows]
        return torch.cat([one.double() for one in filled])

    values = torch.cat([one.values.double() for one, _ in parts])
    return Target(values, join("forces", 0), join("strain", 1))
