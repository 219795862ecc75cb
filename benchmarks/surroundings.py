"""What is around a benchmark: the processor, and folders of data. Imports nothing heavy."""

from __future__ import annotations

import os
import platform
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def processor() -> str:
    """The processor's name and the number of cores."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


def data_file(name: str) -> Path | None:
    """A file of the reference data, as ``acac/train_300K.xyz``; None: it is not there.

    It is looked for in ``$MTT_DATA`` and in ``../shared/data`` beside the repository.
    """
    for folder in (os.environ.get("MTT_DATA"), ROOT.parent / "shared" / "data"):
        if folder is not None:
            path = Path(folder).resolve() / name
            if path.is_file():
                return path
    return None
