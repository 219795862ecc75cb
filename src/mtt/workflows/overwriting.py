"""Nothing that a command reads is ever overwritten: outputs are compared with inputs first.

Files are compared by identity (device and inode): neither links nor another spelling of a path,
nor letters of another case where the file system does not distinguish them, hide that two names
are one file.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mtt.data.storage.store import is_packed
from mtt.errors import ConfigError, Problem
from mtt.options.yaml.interpolate import Interpolator
from mtt.options.yaml.load import load_document
from mtt.options.yaml.places import KeyPath, dotted

_LONGEST = 4096  # characters of a path
# options that name what is written
_WRITTEN = ("remote", "tensorboard", "wandb", "mlflow", "aim", "loggers")


class Named(NamedTuple):
    """A file that a command reads or writes.

    :param role: what it is to the command: ``"the exported model"``, or the option that names it.
    """

    path: Path
    role: str


def refuse_overwriting(outputs: Sequence[Named], inputs: Iterable[Named], hint: str = "") -> None:
    """Compare all files that a command writes with all that it reads, before it does either.

    :param hint: what to do about it; left out: a free name.
    :raises ConfigError: an output is an input, or is in a packed data set that is read, or
        two outputs are one file; each names both files.
    """
    problems = []
    written: dict[Hashable, Named] = {}
    for one in outputs:
        other = written.setdefault(_identity(one.path), one)
        if other is not one:
            what = f"{one.role} and {other.role} ({other.path}) would be one file"
            problems.append(Problem(what, str(one.path), "remove the link, or name another output"))
    found: set[Named] = set()
    for one in inputs:
        for output, what in _conflicts(one, outputs, written.get(_identity(one.path))):
            if output not in found:
                found.add(output)
                remedy = hint or f"name another output, such as -o {free_name(output.path)}"
                if is_inside(output.path, one.path):
                    remedy = f"name an output outside of {one.path}"
                problems.append(Problem(what, str(output.path), remedy))
    if problems:
        raise ConfigError.collect(problems)


def files_in(
    values: Any, where: Callable[[KeyPath], str] = dotted, path: KeyPath = ()
) -> Iterator[Named]:
    """Files and folders that options name: every text in them that is the path of one.

    Which options are paths is known to readers, architectures and extensions only; a key or a
    unit that happens to be the name of an output is rare, and a renamed output harmless.

    :param values: options as plain values; a ``read_from`` may be a list or a pattern.
    :param where: says of a key path where it was written.
    """
    if isinstance(values, dict):
        for key, value in values.items():
            if path or key not in _WRITTEN:
                yield from files_in(value, where, (*path, key))
    elif isinstance(values, list | tuple):
        for i, value in enumerate(values):
            if isinstance(value, dict | list | tuple | str | os.PathLike):
                yield from files_in(value, where, (*path, i))
    elif isinstance(values, str | os.PathLike):
        text = os.fspath(values)
        for name in _paths(text, pattern="read_from" in path) if isinstance(text, str) else ():
            yield Named(Path(name), where(path))


def files_of_data_sets(source: Any) -> Iterator[Named]:
    """Files that the options of ``mtt eval`` (a YAML file, or its content) name.

    :raises ConfigError: the file cannot be read.
    """
    known = source if isinstance(source, str | os.PathLike | Mapping) else list(source)
    document = load_document(known)
    if document.places.source:
        yield Named(Path(document.places.source), "the options")
    values = Interpolator(document.values)(document.values, ())
    yield from files_in(values, document.places.where)


def free_name(path: Path) -> Path:
    """``model-2.pt`` for ``model.pt``: a name that neither it nor its checkpoint has yet."""
    number = 2
    while True:
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        if not any(os.path.lexists(one) for one in (free, free.with_suffix(".ckpt"))):
            return free
        number += 1


def same_file(one: Path, other: Path) -> bool:
    """Whether two names, which need not exist, are one file or folder."""
    return _identity(one) == _identity(other)


def is_inside(path: Path, folder: Path) -> bool:
    """Whether ``path``, which need not exist, is in ``folder``, at any depth and through links."""
    there = _identity(folder)
    return any(_identity(parent) == there for parent in Path(os.path.realpath(path)).parents)


def _conflicts(
    one: Named, outputs: Sequence[Named], same: Named | None
) -> Iterator[tuple[Named, str]]:
    if same is not None:
        yield same, f"{same.role} would replace {one.path}, which is read ({one.role})"
    elif is_packed(one.path):
        for output in outputs:
            if is_inside(output.path, one.path):
                yield output, f"{output.role} would be in {one.path}, which is read ({one.role})"


def _identity(path: Path) -> Hashable:
    """Equal for two names of one file; for a missing file, the path without links."""
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return os.path.realpath(path)
    return stat.st_dev, stat.st_ino


def _paths(text: str, *, pattern: bool) -> list[str]:
    """The paths of files that ``text`` may be: as written, and with ``~`` and ``$VAR`` spelled."""
    if not text or len(text) > _LONGEST or "\0" in text:
        return []
    names = dict.fromkeys((text, os.path.expanduser(os.path.expandvars(text))))
    found = [name for name in names if _exists(name)]
    if not found and pattern and glob.has_magic(text):
        found = [path for name in names for path in glob.glob(name, recursive=True)]
    return found


def _exists(name: str) -> bool:
    try:
        return os.path.exists(name)
    except ValueError:
        return False
