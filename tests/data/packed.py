"""Writes a stored packed data set of the present format: ``python tests/data/packed.py``.

One that exists is not touched: what has been released stays as it is. Raise ``FORMAT_VERSION``
(or ``PAIRS_VERSION``) in ``mtt/data/storage/store.py``, see that the old one is still read, and
then run this.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mtt.data import Dataset, DatasetInfo, Frame, FrameLabels, TargetInfo, pack
from mtt.data.storage.store import FORMAT_VERSION, PAIRS_VERSION

FOLDER = Path(__file__).parent.parent / "resources" / "packed"
CUTOFF = 2.6  # no distance of the structures is close to it
INFO = DatasetInfo(
    "angstrom",
    (1, 6, 8),
    {
        "energy": TargetInfo.energy(forces=True, stress=True),
        "mtt::charge": TargetInfo(sample_kind="atom"),
    },
    {"mtt::field": TargetInfo(properties=3)},
)


FORMATS = [(1, 1), (2, 1), (2, 2)]  # of data and of the neighbour lists in them
TODAY = FORMAT_VERSION, PAIRS_VERSION


def path_of(data: int, lists: int) -> Path:
    """The data set of these formats, neighbour lists inside."""
    return FOLDER / (f"format-{data}" if lists == 1 else f"format-{data}-lists-{lists}")


def numbers(*shape: int, shift: int = 0) -> np.ndarray:
    """Some multiples of 1/8, the same everywhere and for ever."""
    count = np.arange(shift, shift + int(np.prod(shape)))
    return ((7 * count * count + 3 * count) % 43 / 8.0).reshape(shape)


def frames() -> list[Frame]:
    """Four structures, two of them periodic, one without labels of its energy."""
    made = []
    for i, elements in enumerate(([1, 1, 8], [6, 8, 8, 1], [6], [8, 6])):
        n, periodic = len(elements), i % 2 == 1
        energy = np.full((1, 1), np.nan if i == 2 else -100.5 - i)
        labels = {
            "energy": FrameLabels(energy, numbers(n, 3, shift=i), numbers(3, 3, shift=i)),
            "mtt::charge": FrameLabels(numbers(n, 1, shift=2 * i)),
        }
        made.append(
            Frame(
                np.array(elements, dtype=np.int64),
                numbers(n, 3, shift=5 * i) / 2.0,
                2.5 * np.eye(3) if periodic else np.zeros((3, 3)),
                np.full(3, periodic),
                labels,
                {"mtt::field": numbers(1, 3, shift=i)},
                f"set.xyz, frame {i}",
            )
        )
    return made


def write(folder: Path) -> Dataset:
    """The data set as it is packed today, and its neighbour lists."""
    pack(Dataset.from_frames(frames(), INFO), folder)
    dataset = Dataset.open(folder)
    dataset.pairs(CUTOFF)
    return dataset


if __name__ == "__main__":
    if path_of(*TODAY).exists():
        raise SystemExit("it exists; raise FORMAT_VERSION in mtt/data/storage/store.py first")
    write(path_of(*TODAY))
