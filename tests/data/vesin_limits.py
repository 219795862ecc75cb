"""What vesin takes, tried in processes that may die: prints one line of JSON.

    python vesin_limits.py

Lengths are in cutoffs. Each case of ``LIMITS`` is tried with vesin alone at its last length and
at the next, and with :class:`mtt.data.geometry.finder.Finder` at both. Each case of ``FAR`` is
one more.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

OPEN, SOLID = [False] * 3, [True] * 3
NOTHING = np.zeros((3, 3))

LIMITS: dict[str, tuple[Callable[[float], tuple[Any, Any, Any]], float, float]] = {
    "atoms along x": (lambda a: ([[0, 0, 0], [a, 0, 0]], NOTHING, OPEN), 99_010.89, 99_010.90),
    "atoms along y": (lambda a: ([[0, 0, 0], [0, a, 0]], NOTHING, OPEN), 99_010.89, 99_010.90),
    "atoms along z": (lambda a: ([[0, 0, 0], [0, 0, a]], NOTHING, OPEN), 99_010.89, 99_010.90),
    "atoms over x and y": (lambda a: ([[0, 0, 0], [a, a, 0]], NOTHING, OPEN), 313.86, 313.87),
    "long cell": (lambda a: ([[0, 0, 0]], np.diag([1, 1, a]), SOLID), 100_000.9, 100_001.0),
    "flat cell": (lambda a: ([[0, 0, 0]], np.diag([1, a, a]), SOLID), 316.9, 317.0),
    "thick cell": (lambda a: ([[0, 0, 0]], np.diag([10.5, a, a]), SOLID), 3149.9, 3151.1),
}
FAR = 2.0**31  # cells
SECONDS = 60


def ended(run: Callable[[], int]) -> int | None:
    """The number of pairs that ``run`` finds in another process; None where that dies."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        os.write(writing, str(run()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        found = pipe.read()
    _, status = os.waitpid(child, 0)
    return int(found) if status == 0 else None


def alone(points: Any, cell: Any, pbc: Any) -> int:
    """Pairs that vesin finds."""
    import vesin

    finder = vesin.NeighborList(cutoff=1.0, full_list=True, sorted=True)
    return len(finder.compute(np.array(points, float), np.array(cell, float), pbc, "P")[0])


def ours(points: Any, cell: Any, pbc: Any) -> int:
    """Pairs that the platform finds."""
    from mtt.data.geometry.finder import Finder, Geometries

    one = Geometries(
        np.array(points, float), np.array([len(points)]), np.array([cell], float), np.array([pbc])
    )
    return len(next(Finder(1.0, full_list=True, ordered=True).each(one, "P", str))[0])


def main() -> None:
    """All cases."""
    import vesin  # noqa: F401

    import mtt.data.geometry.finder  # noqa: F401

    found = {
        name: [
            [ended(lambda: run(*make(length))) for length in (last, following)]  # noqa: B023
            for run in (alone, ours)
        ]
        for name, (make, last, following) in LIMITS.items()
    }
    cells = [[[0, 0, 0], [away, 0.5, 0.5]] for away in (1.5, FAR - 3.5, FAR + 3.5)]
    found["cells away"] = [
        [ended(lambda: run(points, np.eye(3), SOLID)) for points in cells]  # noqa: B023
        for run in (alone, ours)
    ]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
