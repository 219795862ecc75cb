"""Environments of the other programs: made with pip on first use, kept for the next."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from running import Failed

TORCH = "torch==2.13.0"
DEFAULT_FOLDER = Path.home() / ".cache" / "mtt-benchmarks"
REPORTED = (
    "mtt", "metatrain", "nequip", "mace-torch", "torch", "e3nn", "metatomic-torch",
    "metatensor-torch", "sphericart-torch", "torch-spex", "lightning", "tblite",
    "sevenn", "ase", "numpy",
)  # fmt: skip


@dataclass(frozen=True)
class Environments:
    """Where the environments are.

    :param folder: those that are made here are its subfolders.
    :param given: environments that exist already, by name.
    """

    folder: Path
    given: dict[str, Path]

    def python(self, name: str, packages: tuple[str, ...], torch: bool = True) -> Path:
        """The interpreter of an environment with ``packages``, installed if need be.

        No package at all is the environment of this process.

        :param torch: whether the pinned torch is among them.

        :raises Failed: pip could not install them.
        """
        if not packages:
            return Path(sys.executable)
        if name in self.given:
            return self.given[name] / "bin" / "python"
        home = self.folder / name
        done = home / "installed.json"
        pinned = [TORCH] if torch else []
        wanted = json.dumps([*pinned, *packages])
        if not (done.is_file() and done.read_text(encoding="utf-8") == wanted):
            print(f"installing {', '.join(packages)} into an environment of its own", flush=True)
            _call([sys.executable, "-m", "venv", "--clear", str(home)])
            pip = [str(home / "bin" / "pip"), "install", "-q"]
            if torch:
                _call([*pip, TORCH])  # first and pinned, else pip may take another build
            _call([*pip, *pinned, *packages])
            done.write_text(wanted, encoding="utf-8")
        return home / "bin" / "python"


def versions(python: Path) -> dict[str, str]:
    """Versions of Python and of the packages that matter, in an environment."""
    code = (
        "import json, platform, sys\n"
        "from importlib import metadata as m\n"
        "found = {'python': platform.python_version()}\n"
        "for name in sys.argv[1:]:\n"
        "    try: found[name] = m.version(name)\n"
        "    except m.PackageNotFoundError: pass\n"
        "print(json.dumps(found))"
    )
    found: dict[str, str] = json.loads(_call([str(python), "-c", code, *REPORTED]))
    return found


def _call(command: list[str]) -> str:
    done = subprocess.run(command, text=True, check=False, capture_output=True)
    if done.returncode != 0:
        raise Failed(f"exit {done.returncode}: {' '.join(command)}\n{done.stderr[-2000:]}")
    return done.stdout
