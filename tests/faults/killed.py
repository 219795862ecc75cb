"""Runs commands that are killed (SIGKILL) in the middle of a file; prints what each one left.

    python killed.py MODEL DATA

Every command is a child of this process, which has loaded torch and not used it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mtt.exporting.archive
import mtt.exporting.export
import mtt.scaffold.copy_template
from mtt.cli.main import run
from mtt.data.storage.arrays import ArrayWriter
from mtt.evaluation.writer import Writer


def kill(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after(n: int, method: Callable[..., Any]) -> Callable[..., Any]:
    """``method``, and a kill in its ``n``-th call."""
    calls = 0

    def counting(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        return kill() if calls == n else method(*arguments)

    return counting


# command: where it is killed
def in_eval() -> None:
    Writer.write = after(3, Writer.write)  # type: ignore[method-assign]


def in_export() -> None:
    mtt.exporting.export.verify = kill  # type: ignore[attr-defined]


def in_archive() -> None:
    mtt.exporting.archive._verify = kill  # type: ignore[attr-defined]


def in_pack() -> None:
    ArrayWriter.append = after(9, ArrayWriter.append)  # type: ignore[method-assign]


def in_new() -> None:
    mtt.scaffold.copy_template.take_place = kill  # type: ignore[attr-defined]


def main() -> None:
    model, data = sys.argv[1:]
    Path("eval.yaml").write_text(json.dumps({"systems": data}))
    commands: dict[str, tuple[Callable[[], None], list[str]]] = {
        "out.xyz": (in_eval, ["eval", model, "eval.yaml", "-o", "out.xyz"]),
        "out.pt": (in_export, ["export", model, "-o", "out.pt"]),
        "out.zip": (in_archive, ["export", model, "-o", "out.zip"]),
        "out": (in_pack, ["data", "pack", data, "-o", "out"]),
        "out_of": (in_new, ["new", "out_of"]),
    }
    left = {}
    for name, (patch, arguments) in commands.items():
        before = set(os.listdir())
        child = os.fork()
        if child == 0:
            patch()
            os.dup2(2, 1)
            os._exit(run(arguments))
        _, status = os.waitpid(child, 0)
        left[name] = {
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            "arguments": arguments,
            "left": sorted(set(os.listdir()) - before),
        }
    sys.stdout.write(f"{json.dumps(left)}\n")


if __name__ == "__main__":
    main()
