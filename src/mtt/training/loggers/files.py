"""Files that grow by one line per epoch and hold no epoch twice, whatever was killed when."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Replace the file by ``text``, in one step.

    :raises OSError: it cannot be written; what stood there is untouched.
    """
    # always the same name: the next one writes over what a killed process left
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_lines(path: Path, lines: Iterable[str]) -> None:
    """Replace the file by ``lines``, in one step.

    :raises OSError: it cannot be written; what stood there is untouched.
    """
    replace_text(path, "".join(f"{line}\n" for line in lines))


def append_line(path: Path, line: str) -> None:
    """Append ``line``, for everybody to see at once.

    :raises OSError: it cannot be written.
    """
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{line}\n")
