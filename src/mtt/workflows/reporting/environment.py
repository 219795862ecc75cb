"""Where a run takes place: machine, packages, and the state of the git repository."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from mtt._version import __version__

ENVIRONMENT = "environment.json"
"""File of the run folder."""

_PACKAGES = ("torch", "metatomic-torch", "metatomic-ase", "vesin", "ase", "numpy")
_PATIENCE = 2.0  # seconds that git may take, as on a slow network drive


def environment(device: torch.device) -> dict[str, Any]:
    """Plain values; what cannot be found out is left out."""
    found = {
        "machine": socket.gethostname(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": _device(device),
        "Python": platform.python_version(),
        "git": _git(Path.cwd()),
        "packages": {"mtt": __version__, **_versions()},
    }
    return {key: value for key, value in found.items() if value}


def stored_environment(run: Path) -> dict[str, Any]:
    """What the run in the folder ``run`` wrote down; empty where it did not."""
    try:
        known = json.loads((run / ENVIRONMENT).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def _device(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device}: {torch.cuda.get_device_name(device)}"
    return str(device)


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    """Its name, on Linux; else the kind."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


def _git(folder: Path) -> str:
    """Commit of the repository around ``folder``, and whether files are changed; empty for none."""
    commit = _ask_git(folder, "rev-parse", "HEAD")
    if not commit:
        return ""
    state = _ask_git(folder, "status", "--porcelain", "--untracked-files=no")
    return commit + ("" if state is None else ", with changed files" if state else ", unchanged")


def _ask_git(folder: Path, *words: str) -> str | None:
    """What git prints; None where it fails, is not installed, or takes too long."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip()
