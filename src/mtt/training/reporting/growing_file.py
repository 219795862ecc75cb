"""Files that grow by one line per epoch and hold no epoch twice, whatever was killed when."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mtt.checkpoint.temporary import replace_text


def replace_lines(path: Path, lines: Iterable[str]) -> None:
    """Replace the file by ``lines``, in one step.

    :raises OSError: it cannot be written; the former content is untouched.
    """
    replace_text(path, "".join(f"{line}\n" for line in lines))


def append_line(path: Path, line: str) -> None:
    """Append ``line``, for everybody to see at once.

    :raises OSError: it cannot be written.
    """
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{line}\n")
