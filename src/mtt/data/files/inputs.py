"""The files of ``read_from``: a file, a pattern, or a list of both, with ``~`` and ``$VAR``."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path

from mtt.errors import DataError, Problem, did_you_mean
from mtt.options.values import ReadFrom

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_WILD = re.compile(r"[*?[]")
_SHOWN = 8


def input_files(read_from: ReadFrom) -> list[Path]:
    """The files that ``read_from`` names, in their order; at least one.

    A name that exists is taken as it is. Otherwise ``~`` is the home folder, ``$VAR`` and
    ``${VAR}`` are variables of the environment, and ``*``, ``?``, ``[...]`` and ``**`` make a
    pattern, whose files are in natural order (``run_2.xyz`` before ``run_10.xyz``). Files whose
    name begins with a dot belong to no pattern. A file that is named alone need not exist.

    A folder that exists is taken as it is, too (``Cu[111]/*.xyz``).

    :raises DataError: collects variables that are not set, patterns without a file, and files
        that are named more than once, also through links of both kinds.
    """
    names = [read_from] if isinstance(read_from, str) else list(read_from)
    problems: list[Problem] = []
    files: list[Path] = []
    for name in names:
        try:
            files += _files_of(name)
        except DataError as error:
            problems += error.problems
    problems += _named_twice(files)
    if problems:
        raise DataError.collect(problems)
    return files


def expanded(name: str) -> str:
    """``name`` with ``~`` and variables replaced, unless it exists as it is.

    :raises DataError: a variable is not set.
    """
    if os.path.lexists(name):
        return name
    problems = []
    for braced, bare in dict.fromkeys(_VARIABLE.findall(name)):
        variable = braced or bare
        if variable not in os.environ:
            what = f"the variable {variable!r} is not set"
            problems.append(Problem(what, name, did_you_mean(variable, os.environ)))
    if problems:
        raise DataError.collect(problems)
    text = os.path.expanduser(name)
    return _VARIABLE.sub(lambda found: os.environ[found.group(1) or found.group(2)], text)


def described(read_from: ReadFrom) -> str:
    """``train.xyz``, or ``train.xyz and 3 more`` of a list."""
    if isinstance(read_from, str):
        return read_from
    more = len(read_from) - 1
    return f"{read_from[0]} and {more} more" if more else read_from[0]


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts numbers within names by their value."""
    return [
        (0, int(part), part) if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", name)
        if part
    ]


def _files_of(name: str) -> list[Path]:
    text = expanded(name)
    if os.path.lexists(text) or not _WILD.search(text):
        return [Path(text)]
    # folders match too; they hold structures only where they are packed data sets
    found = [
        one
        for one in glob.glob(_literal_folders(text), recursive=True)
        if not os.path.isdir(one) or os.path.isfile(os.path.join(one, "dataset.json"))
    ]
    if not found:
        raise DataError("no file matches this pattern", where=name, hint=_beside(text))
    return [Path(one) for one in sorted(found, key=natural)]


def _literal_folders(pattern: str) -> str:
    """``pattern``, in which brackets in the names of existing folders are not wildcards."""
    folder = os.path.dirname(pattern)
    while folder and not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return glob.escape(folder) + pattern[len(folder) :]


def _beside(pattern: str) -> str:
    """What the last folder of ``pattern`` without a wildcard holds."""
    folder = Path(pattern).parent
    while _WILD.search(str(folder)) and not folder.is_dir():
        folder = folder.parent
    if not folder.is_dir():
        return f"the folder {folder} does not exist"
    held = sorted((one.name for one in folder.iterdir()), key=natural)
    rest = f" and {len(held) - _SHOWN} more" if len(held) > _SHOWN else ""
    where = Path.cwd() if str(folder) == "." else folder
    return f"the folder {where} holds {', '.join(held[:_SHOWN]) + rest if held else 'nothing'}"


def _named_twice(files: Sequence[Path]) -> list[Problem]:
    seen: dict[tuple[int, int] | str, Path] = {}
    problems = []
    for file in files:
        first = seen.setdefault(_identity(file), file)
        if first is not file:
            same = "is named twice" if first == file else f"is the same file as {first}"
            hint = "its structures would count twice; name it once"
            problems.append(Problem(f"{same} in one data set", str(file), hint))
    return problems


def _identity(file: Path) -> tuple[int, int] | str:
    """Identity of a file on the disk, independent of its names; the path of a missing file."""
    try:
        found = os.stat(file)
    except OSError:
        return os.path.realpath(file)
    return found.st_dev, found.st_ino
