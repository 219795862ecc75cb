"""Does a GPU wait, and does it pass its tests? A part of ``device.py``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from device_run import SHORT, Run, make, steps
from surroundings import ROOT

from mtt.training.step import Step

ARCHITECTURES = ("density_messages", "soap_bpnn", "pet")
GPU_TESTS = [
    *("tests/nn/test_build.py", "tests/data/batching/test_loader.py", "tests/training"),
    "tests/workflows/run/test_machine.py",
]
GPU_WORDS = "cuda or gpu or waits"


@contextmanager
def no_waiting(step: Step) -> Iterator[None]:
    """torch raises where the host waits for the GPU, except in the step's guard."""
    guard = step._guard

    def allowed(*args: Any) -> Any:
        torch.cuda.set_sync_debug_mode("default")
        try:
            return guard(*args)
        finally:
            torch.cuda.set_sync_debug_mode("error")

    step._guard = allowed  # type: ignore[method-assign]
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")
        step._guard = guard  # type: ignore[method-assign]


def waits(run: Run) -> None:
    """Steps of each architecture that must not wait; on a CPU they are taken and say nothing."""
    found = {}
    for name in ARCHITECTURES:
        stage = make(run, name, SHORT["small"] if name == "density_messages" else {}, {})
        taken = steps(stage)
        for _ in range(3):
            next(taken)
        try:
            if run.device.type == "cuda":
                with no_waiting(stage.step):
                    for _ in range(5):
                        next(taken)
                found[name] = "in the guard alone"
            else:
                next(taken)
                found[name] = f"not known on {run.device.type}"
        except RuntimeError as error:
            found[name] = f"FAILED: {str(error).splitlines()[0]}"
    run.results["waits"] = found


def tests(run: Run) -> None:
    """The summary that pytest prints of the tests that need a GPU."""
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-k", GPU_WORDS, *GPU_TESTS]
    if run.short:
        command += ["--collect-only", "-q"]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=max(run.left - 10, 20)
        )
    except subprocess.TimeoutExpired:
        run.results["tests"] = "not finished in time"
        return
    lines = done.stdout.strip().splitlines()
    run.results["tests"] = lines[-1] if lines else done.stderr.strip()[-200:]
    if done.returncode:
        run.results["failed tests"] = [line for line in lines if line.startswith("FAILED")]
