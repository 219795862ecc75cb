"""Energy that a run uses, from counters of the machine."""

from __future__ import annotations

import json
from ctypes import c_ulonglong
from pathlib import Path
from typing import Any

import pytest

from mtt.workflows.reporting.energy import Meter, energy_used, gpu_counter, rapl


@pytest.fixture
def powercap(here: Path) -> Path:
    """Counters as Linux has them: a processor, a part of it, and its memory."""
    named = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "dram"}
    for folder, name in named.items():
        place = here / "powercap" / folder
        place.mkdir(parents=True)
        (place / "name").write_text(f"{name}\n")
        (place / "max_energy_range_uj").write_text("1000000000\n")
        (place / "energy_uj").write_text("990000000\n")
    return here / "powercap"


def test_energy_is_summed_over_an_overflow_and_over_restarts(powercap: Path, here: Path) -> None:
    found = [*rapl(powercap)]
    assert [one.name for one in found] == ["processor 0", "memory 0"]
    meter = Meter(here, found)
    (powercap / "intel-rapl:0" / "energy_uj").write_text("5000000\n")  # began again at 1000 J
    (powercap / "intel-rapl:0:1" / "energy_uj").unlink()
    meter("epoch", {}, 1)
    assert energy_used(here) == {}, "not more often than once a minute"
    meter("evaluation", {}, 1)
    assert energy_used(here) == {"processor 0": 15.0}
    meter.close()
    assert len(json.loads((here / "energy.json").read_text())) == 1
    again = Meter(here, [*rapl(powercap)])
    (powercap / "intel-rapl:0" / "energy_uj").write_text("7000000\n")
    again.close()
    assert energy_used(here) == {"processor 0": 17.0}
    (here / "energy.json").write_text('[3, {"joules": []}')
    assert energy_used(here) == {}


class Driver:
    """Answers as NVML does: codes, values through pointers."""

    def __init__(self, *answers: int) -> None:
        self.answers, self.asked = list(answers), b""

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, handle: Any) -> int:
        self.asked = uuid
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any, value: Any) -> int:
        if not self.answers:
            return 3  # NVML_ERROR_NOT_SUPPORTED
        assert isinstance(value._obj, c_ulonglong)
        value._obj.value = self.answers.pop(0)
        return 0


def test_a_gpu_is_found_by_its_number_and_counted_in_joules() -> None:
    driver = Driver(5_000, 8_500)
    (counter,) = gpu_counter(driver, "GPU-12", "GPU 1")
    counter.update()
    assert (counter.name, counter.joules, driver.asked) == ("GPU 1", 3.5, b"GPU-12")
    assert [*gpu_counter(Driver(), "GPU-12", "GPU 1")] == [], "an old one counts none"
