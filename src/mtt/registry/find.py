"""Architectures by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mtt.errors import ArchitectureError, did_you_mean
from mtt.options.metatrain.known_names import peer_notice
from mtt.registry.found import Found
from mtt.registry.places import VARIABLE, almost, missing_files, search


def discover(extra_dirs: Sequence[str | Path] = ()) -> dict[str, Found]:
    """All architectures by name, sorted; nothing of them is imported.

    A name that two folders claim is there once, with a ``problem``.

    :param extra_dirs: folders of architecture folders, or architecture folders themselves;
        those of the variable ``MTT_ARCHITECTURES`` come in addition.
    :raises ArchitectureError: one of them is not a folder.
    """
    found: dict[str, Found] = {}
    folders: set[Path] = set()
    for one in search(extra_dirs):
        folder = one.folder.resolve()
        if folder in folders:  # reached by two ways
            continue
        folders.add(folder)
        first = found.get(one.name)
        if first is None:
            found[one.name] = one
        elif not one.problem:
            problem = f"two folders have this name, {first.folder} and {one.folder}; rename one"
            found[one.name] = replace(first, problem=problem)
    return dict(sorted(found.items()))


def find(name: str, extra_dirs: Sequence[str | Path] = (), *, where: str = "") -> Found:
    """The architecture called ``name``.

    :param where: where the name was written, for messages.
    :raises ArchitectureError: there is none, or there are two.
    """
    found = discover(extra_dirs)
    one = found.get(name)
    if one is None:
        raise _unknown(name, found, extra_dirs, where)
    if one.problem:
        raise ArchitectureError(
            f"the architecture {name!r} cannot be used: {one.problem}", where=where
        )
    return one


def _unknown(
    name: str, found: Mapping[str, Found], extra_dirs: Sequence[str | Path], where: str
) -> ArchitectureError:
    last = name.rpartition(".")[2]
    for known, one in found.items():
        if last and known.rpartition(".")[2] == last:
            what = f"there is no architecture {name!r}, but {known!r}, which is {one.state}"
            return ArchitectureError(what, where=where, hint=f"write {known}")
    for folder in almost(name, extra_dirs):
        return ArchitectureError(
            f"{folder} is not an architecture: it lacks {' and '.join(missing_files(folder))}",
            where=where,
            hint="the defaults of documentation.py go into default-hypers.yaml"
            if (folder / "documentation.py").is_file()
            else "",
        )
    notice = peer_notice(name)
    what = f"unknown architecture {name!r}" if notice is None else notice
    known = f"known are {', '.join(found)}" if found else "none was found"
    more = f"more are found through --architectures DIR or {VARIABLE}"
    hint = did_you_mean(name, found) or f"{known}; {more}"
    return ArchitectureError(what, where=where, hint=hint)
