"""Groups of the data: by a key of the files with few values, and by size.

A published set often joins calculations of several kinds (``config_type``), whose labels were
written by several scripts. What is true of one group need not be true of the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mtt.data.files.raw_frame import RawFrame
from mtt.data.labels.keys import numbers_in
from mtt.scanning.tools.structures import Float, Index, Mask, Structures

SIZE = "number of atoms"
MOMENT = "total magnetic moment"
_USUAL = (
    "config_type", "config", "configuration_type", "configtype", "group", "subset", "dataset",
    "source", "origin", "category", "type", "label", "tag", "name",
)  # fmt: skip
"""Keys that name groups, the clearest first."""
_MOST_VALUES = 64  # of a key that divides the data into groups
_MOST_KEYS = 6  # by which data are divided
_FEWEST = 3  # frames that the values of a key have on average
_LONGEST = 60  # characters of a value
_NAMED = 4  # groups in a sentence
_MAGNETIC = ("magmoms", "initial_magmoms", "magnetic_moments", "magmom", "spins")


class Partition(NamedTuple):
    """Structures divided by the value of one key."""

    name: str  # of the key, or SIZE
    of: Index  # [n] which of ``values``; -1: the structure has no such key
    values: tuple[str, ...]
    is_text: bool  # the values are words, not numbers

    def group(self, value: int) -> Mask:
        """[n] structures of one value; -1: those without."""
        return np.asarray(self.of == value)

    def called(self, value: int) -> str:
        """The value in words."""
        return self.values[value] if value >= 0 else f"without {self.name}"


class InfoKeys:
    """Keys of structures in the files that were read, as far as they have few values.

    What a key of a frame says of no label (``config_type``, ``charge``) is not part of the data
    set; :meth:`add` collects it from the frames of a file, for the structures of that file.
    """

    def __init__(self, structures: Structures) -> None:
        self.structures = structures
        self.codes: dict[str, Index] = {}
        self.words: dict[str, dict[str, int]] = {}
        self.moments: Float = np.full(len(structures), np.nan)  # [n] sum over the atoms
        self._many: set[str] = set()
        self._files = {str(Path(name).resolve()): k for k, name in enumerate(structures.files)}

    def add(self, path: str, frames: Sequence[RawFrame]) -> None:
        """Add the keys of the ``frames`` of the file ``path``."""
        file = self._files.get(str(Path(path).resolve()))
        if file is None:
            return
        mine = np.flatnonzero(self.structures.file == file)
        by_number = {frame.number: frame for frame in frames}
        for i in mine.tolist():
            frame = by_number.get(int(self.structures.frame[i]))
            if frame is not None:
                self._take(i, frame)

    def _take(self, i: int, frame: RawFrame) -> None:
        for name, value in frame.per_structure.items():
            if name in self._many:
                continue
            word = _word(value)
            known = self.words.setdefault(name, {})
            if word is None or (word not in known and len(known) == _MOST_VALUES):
                self._many.add(name)
                self.words.pop(name)
                self.codes.pop(name, None)
                continue
            if name not in self.codes:
                self.codes[name] = np.full(len(self.structures), -1)
            self.codes[name][i] = known.setdefault(word, len(known))
        found = next((frame.per_atom[key] for key in _MAGNETIC if key in frame.per_atom), None)
        if found is not None:
            self.moments[i] = _total(found)

    def partition(self, name: str) -> Partition:
        """Partition structures by the values of one key."""
        values = tuple(self.words[name])
        return Partition(name, self.codes[name], values, not all(map(_is_number, values)))

    def states(self) -> Iterator[Partition]:
        """Partition by each key of few values, and by the total magnetic moment of the atoms."""
        for name in self.codes:
            yield self.partition(name)
        known = np.isfinite(self.moments)
        whole = np.round(self.moments[known])
        values, of = np.unique(whole, return_inverse=True)
        if 1 < len(values) <= _MOST_VALUES:
            code = np.full(len(self.structures), -1)
            code[known] = of.reshape(-1)
            yield Partition(MOMENT, code, tuple(f"{value:g}" for value in values), False)


def partitions(structures: Structures, keys: InfoKeys, read: Collection[str]) -> list[Partition]:
    """Partitions of the data, the one with the best names of groups first.

    Keys of words come first, as ``config_type``, then keys of numbers, then the number of atoms.
    Of keys that divide the data in the same way only the first one is taken.

    :param read: names of keys that are labels.
    """
    found = [keys.partition(name) for name in keys.codes if name not in read]
    found = [one for one in found if _divides(one, len(structures))]
    found.sort(key=lambda one: (_rank(one.name), not one.is_text))
    sizes, of = np.unique(structures.n_atoms, return_inverse=True)
    size = Partition(SIZE, of.reshape(-1), tuple(map(str, sizes.tolist())), False)
    different: list[Partition] = []
    seen: set[bytes] = set()
    for one in [*found[: 2 * _MOST_KEYS], *([size] if 1 < len(sizes) <= _MOST_VALUES else [])]:
        mark = np.unique(one.of, return_inverse=True)[1].reshape(-1)
        first = np.unique(mark, return_index=True)[1]
        same = np.argsort(np.argsort(first))[mark].tobytes()  # values by their first frame
        if same not in seen:
            seen.add(same)
            different.append(one)
    others = [one for one in different if one.name != SIZE][:_MOST_KEYS]
    return others + [one for one in different if one.name == SIZE]


def named(partition: Partition, values: Sequence[int], frames: Sequence[int]) -> str:
    """``config_type AIMD (90 frames) and Vacancy (57)``, the largest first.

    :param frames: of each of ``values``.
    """
    order = np.argsort(-np.asarray(frames), kind="stable")[:_NAMED]
    words = []
    for rank, k in enumerate(order.tolist()):
        unit = f" frame{'s' * (frames[k] != 1)}" if rank == 0 else ""
        words.append(f"{partition.called(values[k])} ({frames[k]}{unit})")
    if len(values) > _NAMED:
        words.append(f"{len(values) - _NAMED} more")
    joined = ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else words[0]
    return f"{partition.name} {joined}"


def is_usual(name: str) -> bool:
    """Whether a key of this name usually names groups."""
    return name.lower() in _USUAL


def _divides(one: Partition, n: int) -> bool:
    """Whether there are several values, and not a new one in every other frame."""
    several = len(np.unique(one.of)) > 1
    return several and len(one.values) * _FEWEST <= n


def _rank(name: str) -> int:
    lower = name.lower()
    return _USUAL.index(lower) if lower in _USUAL else len(_USUAL)


def _word(value: Any) -> str | None:
    """One word or number, written alike wherever it is the same; None for anything longer."""
    try:
        numbers = numbers_in(value)
    except (ValueError, TypeError):
        text = str(value)
        return text if isinstance(value, str | bool | np.bool_) and len(text) <= _LONGEST else None
    return f"{float(numbers.reshape(-1)[0]):.10g}" if numbers.size == 1 else None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _total(values: Any) -> float:
    """Sum over the atoms; of vectors the length of their sum."""
    try:
        numbers = numbers_in(values)
    except (ValueError, TypeError):
        return float("nan")
    return float(np.linalg.norm(numbers.sum(axis=0))) if numbers.ndim > 1 else float(numbers.sum())
