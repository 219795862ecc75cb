"""Files with the indices of structures, one a line."""

from __future__ import annotations

import errno
from pathlib import Path

from mtt.options.yaml.load import MAX_BYTES
from mtt.options.yaml.places import Fault, KeyPath, as_index
from mtt.regular import unreadable


def read_indices(file: Path, path: KeyPath, faults: list[Fault]) -> list[int]:
    """The indices in ``file``, one a line, which the option at ``path`` names.

    :param faults: takes what is wrong with it.
    """
    wrong = unreadable(file)
    if wrong:
        faults.append(Fault(path, f"{file}: {wrong.what}", wrong.hint))
        return []
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise OSError(errno.EFBIG, f"more than {MAX_BYTES:,} bytes")
        lines = content.decode("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:  # not UTF-8, or no name of a file
        reason = getattr(error, "strerror", None) or "not a text file"
        hint = "a file with one index per line; the path is relative to the working folder"
        faults.append(Fault(path, f"{file} cannot be read ({reason})", hint))
        return []
    indices = []
    for number, line in enumerate(lines, start=1):
        word = line.partition("#")[0].strip()
        index = as_index(word)
        if index is not None:
            indices.append(index)
        elif word:
            what = f"{file}:{number}: {word!r} is not an index"
            faults.append(Fault(path, what, "one integer from 0 per line"))
    if not indices:
        faults.append(Fault(path, f"{file} holds no index"))
    return indices
