"""Where in an author's code an export fails, and what helps."""

from __future__ import annotations

import inspect
import re
import traceback
from pathlib import Path

_PLACE = re.compile(r'File "([^"]+)", line (\d+)')
_CHAINED = re.compile(
    r"\n(?:The above exception was the direct cause of the following exception"
    r"|During handling of the above exception, another exception occurred):\n"
)
_RAISED = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception)\b.*", re.MULTILINE | re.DOTALL)


def place_of(error: BaseException, owner: type) -> str:
    """``file:line`` of what ``error`` comes from, in the folder of the class ``owner``.

    The last line of Python on the way to it, else the first place that TorchScript names; empty
    where neither is in the folder.
    """
    try:
        folder = Path(inspect.getfile(owner)).resolve().parent
    except (OSError, TypeError):  # a class that was typed in
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f"{frame.filename}:{frame.lineno}" for frame in frames if _is_in(folder, frame.filename)]
    named = [":".join(found) for found in _PLACE.findall(whole_text(error))]
    named = [place for place in named if _is_in(folder, place.rpartition(":")[0])]
    return own[-1] if own else named[0] if named else ""


def whole_text(error: BaseException) -> str:
    """What torch says of ``error``, with the lines of code that it shows."""
    return str(error.__cause__ or error).strip()


def hint_of(error: BaseException) -> str:
    """What to write instead, where the reason is known."""
    if "__len__" in str(error) and "ModelMetadata" in str(error):
        return "a ModelMetadata is neither true nor false: write `if metadata is None`, not `or`"
    return ""


def raised(output: str) -> str:
    """The errors with their whole text, of what a process left on standard error.

    Tracebacks of Python, which lead through the program that loads the file, are left out.
    """
    texts = [_RAISED.search(part) for part in _CHAINED.split(output)]
    found = [match[0].strip() for match in texts if match is not None]
    return "\n".join(found) or output.strip()


def _is_in(folder: Path, file: str) -> bool:
    return Path(file).resolve().is_relative_to(folder)
