"""Time calls on demand: ``serve.py KIND MODEL FRAME``.

Reads numbers of calls from standard input, a line each, and answers every line with the seconds
of these calls, as JSON. Between the calls all atoms are moved a little, by the same random
numbers in every program, so that nothing can be reused.
"""

from __future__ import annotations

import json
import sys
import time

import ase.io
import numpy as np
from calculators import KINDS

AMPLITUDE = 0.01  # Å


def main(kind: str, model: str, frame: str) -> None:
    """Answer until the input ends."""
    start = ase.io.read(frame)
    atoms = start.copy()
    atoms.calc = KINDS[kind](model)
    random = np.random.default_rng(1)

    def call() -> float:
        atoms.positions = start.positions + random.normal(scale=AMPLITUDE, size=(len(atoms), 3))
        begin = time.perf_counter()
        atoms.get_potential_energy()
        atoms.get_forces()
        return time.perf_counter() - begin

    for line in sys.stdin:
        answer = [call() for _ in range(int(line))]
        sys.__stdout__.write(f"seconds {json.dumps(answer)}\n")
        sys.__stdout__.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
