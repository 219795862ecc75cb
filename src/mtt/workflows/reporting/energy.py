"""The energy that a training uses, where counters of the machine can be read without cost.

Linux counts the energy of processors (RAPL, ``/sys/class/powercap``), which many machines let only
root read; NVIDIA's driver counts that of its GPUs (NVML). Both count everything that runs there,
other processes included.
"""

from __future__ import annotations

import ctypes
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from mtt.checkpoint.temporary import replace_text

log = logging.getLogger(__name__)

ENERGY = "energy.json"
"""File of the run folder: one entry for each time that the run was begun or resumed."""

POWERCAP = Path("/sys/class/powercap")
_BETWEEN = 60.0  # seconds; a counter of RAPL begins again after some ten minutes at full power
_NVML = ("libnvidia-ml.so.1", "nvidia-ml.dll")


class Counter:
    """A counter in joules that may begin again.

    :param read: what it counts now.
    :param span: at which it begins again, in joules; 0: never.
    :raises OSError: it cannot be read.
    """

    def __init__(self, name: str, read: Callable[[], float], span: float = 0.0) -> None:
        self.name, self._read, self._span = name, read, span
        self._last, self.joules = read(), 0.0

    def update(self) -> None:
        """Add what was used since the last call; called before the counter begins again twice."""
        now = self._read()
        self.joules += now - self._last if now >= self._last else now - self._last + self._span
        self._last = now


class Meter:
    """A listener that sums the energy up, and writes it into the folder of the run.

    :param counters: see :func:`counters`.
    """

    def __init__(self, folder: Path, counters: list[Counter]) -> None:
        self._folder, self._counters = folder, counters
        self._before = stored_energy(folder)
        self._begin = self._last = time.monotonic()

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        due = time.monotonic() - self._last > _BETWEEN
        if category == "evaluation" or (category == "epoch" and due):
            self.write()

    def close(self) -> None:
        """Called at the end of the training."""
        self.write()

    def write(self) -> None:
        """Read all counters; one that cannot be read any more is left out."""
        self._last = time.monotonic()
        for counter in [*self._counters]:
            try:
                counter.update()
            except OSError as error:
                log.debug("the energy of %s is not counted: %s", counter.name, error)
                self._counters.remove(counter)
        joules = {one.name: round(one.joules, 1) for one in self._counters}
        now = {"seconds": round(self._last - self._begin, 1), "joules": joules}
        text = json.dumps([*self._before, now], indent=2) + "\n"
        try:
            replace_text(self._folder / ENERGY, text)
        except OSError as error:
            log.debug("%s cannot be written: %s", self._folder / ENERGY, error.strerror)


def meters(folder: Path, device: torch.device) -> list[Meter]:
    """The listener of a run; none where nothing can be read."""
    found = [*rapl(), *nvml(device)]
    return [Meter(folder, found)] if found else []


def stored_energy(folder: Path) -> list[dict[str, Any]]:
    """What :class:`Meter` wrote; empty where there is none."""
    try:
        found = json.loads((folder / ENERGY).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def energy_used(folder: Path) -> dict[str, float]:
    """Joules by what counted them, all times together that the run was begun or resumed."""
    found: dict[str, float] = {}
    for one in stored_energy(folder):
        joules = one.get("joules")
        for name, value in joules.items() if isinstance(joules, dict) else ():
            if isinstance(value, int | float):
                found[str(name)] = found.get(str(name), 0.0) + value
    return found


def rapl(root: Path = POWERCAP) -> Iterator[Counter]:
    """Processors, and their memory where it is counted apart from them."""
    for folder in sorted(root.glob("intel-rapl:*")):
        try:
            name = (folder / "name").read_text().strip()
            if not name.startswith(("package", "dram")):  # others are parts of a package
                continue
            span = float((folder / "max_energy_range_uj").read_text()) * 1e-6
            where = name if name.startswith("package") else f"memory {folder.name.split(':')[1]}"
            yield Counter(where.replace("package-", "processor "), _microjoules(folder), span)
        except (OSError, ValueError) as error:
            log.debug("the energy counter %s cannot be read: %s", folder, error)


def _microjoules(folder: Path) -> Callable[[], float]:
    return lambda: float((folder / "energy_uj").read_text()) * 1e-6


def nvml(device: torch.device) -> Iterator[Counter]:
    """The GPU that is trained on; nothing on other devices, or without NVIDIA's driver."""
    library = _loaded() if device.type == "cuda" else None
    if library is not None:
        uuid = torch.cuda.get_device_properties(device).uuid
        yield from gpu_counter(library, f"GPU-{uuid}", f"GPU {device.index or 0}")


def gpu_counter(library: Any, uuid: str, name: str) -> Iterator[Counter]:
    """The counter of one GPU; nothing where the driver does not count.

    :param library: NVML, as ctypes loads it.
    """
    handle, millijoules = ctypes.c_void_p(), ctypes.c_ulonglong()

    def read() -> float:
        code = library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules))
        if code != 0:
            raise OSError(f"NVML returns {code}")
        return millijoules.value * 1e-3

    if library.nvmlInit_v2() != 0:
        return
    if library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(handle)) != 0:
        return
    try:
        yield Counter(name, read)
    except OSError as error:
        log.debug("the energy of %s cannot be read: %s", name, error)


def _loaded() -> Any:
    for name in _NVML:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
