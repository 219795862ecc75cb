"""Speed and memory of an epoch."""

from __future__ import annotations

import resource
import sys
import time
from typing import TYPE_CHECKING

import torch

from mtt.ranks import Ranks

if TYPE_CHECKING:
    from mtt.data import Batch

MIB = 2**20


class SystemMeter:
    """Counts what an epoch trains on; costs no transfer from the device.

    Made when the epoch begins; :meth:`trained` is called before the validation.

    :param ranks: whose structures and atoms are counted together.
    """

    UNITS = {
        "seconds": "s",
        "structures per second": "1/s",
        "atoms per second": "1/s",
        "memory": "MiB",
    }

    def __init__(self, device: torch.device, ranks: Ranks) -> None:
        self._device = device
        self._ranks = ranks
        self._start = time.perf_counter()
        self._training: float | None = None
        self._structures = self._atoms = 0

    def add(self, batch: Batch) -> None:
        """A batch that was trained on."""
        self._structures += len(batch.n_atoms)
        self._atoms += len(batch.graph.types)

    def trained(self) -> None:
        """The batches of the epoch are done; what follows is validation."""
        self._training = time.perf_counter() - self._start

    def metrics(self) -> dict[str, float]:
        """Values of :attr:`UNITS`: seconds of the epoch so far, rates of its training part.

        ``memory`` is the peak of the process, of the largest where there are several: on the GPU
        (allocated by torch), or on the CPU (resident).
        """
        structures, atoms = self._ranks.sum_numbers([self._structures, self._atoms])
        seconds = time.perf_counter() - self._start
        training = seconds if self._training is None else self._training
        return {
            "seconds": seconds,
            "structures per second": structures / training,
            "atoms per second": atoms / training,
            "memory": self._ranks.max(_peak_bytes(self._device)) / MIB,
        }


def _peak_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # Linux counts in KiB
