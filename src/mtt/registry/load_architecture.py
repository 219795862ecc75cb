"""Imports an architecture folder, and checks that it exposes what the contract requires."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import reprlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from mtt.errors import ArchitectureError, MttError, Problem
from mtt.registry.architecture import INIT, Architecture, ArchitectureFolder
from mtt.registry.hypers import default_hypers, schema
from mtt.registry.install import install_command
from mtt.registry.metatrain import PEER, foreign_imports

_EXTERNAL = "mtt_external_"


def load(found: ArchitectureFolder) -> Architecture:
    """Import ``found`` and check what it exposes.

    :raises ArchitectureError: it cannot be imported, or a piece is missing or wrong.
    """
    hypers = default_hypers(found)
    rules = schema(found)
    module = _import(found)
    problems = list(_problems(module, found))
    if problems:
        problems += foreign_imports(found.folder)  # of an installed metatrain
        raise ArchitectureError.collect(problems)
    return Architecture(
        name=found.name,
        folder=found.folder,
        state=found.state,
        model=module.__model__,
        trainer=module.__trainer__,
        authors=[tuple(person) for person in module.__authors__],
        maintainers=[tuple(person) for person in module.__maintainers__],
        default_hypers=hypers,
        schema=rules,
        deprecation=getattr(module, "__deprecated__", ""),
    )


def _import(found: ArchitectureFolder) -> ModuleType:
    name = found.module or _external_name(found.folder)
    if name in sys.modules:
        return sys.modules[name]
    before = set(sys.modules)
    importlib.invalidate_caches()  # its files may be younger than this process
    try:
        return importlib.import_module(name) if found.module else _import_folder(found, name)
    except (Exception, SystemExit) as error:  # code of an architecture can raise anything
        _forget(name, before)
        if isinstance(error, MttError):
            raise
        raise _import_error(error, found, name) from error


def _external_name(folder: Path) -> str:
    """A module name that belongs to this folder alone, the same in every process."""
    base = _EXTERNAL + "".join(c if c.isalnum() else "_" for c in folder.name)
    name, number = base, 1
    # two folders of the same name, in one process: only when programs load from several places
    while name in sys.modules and list(sys.modules[name].__path__) != [str(folder)]:
        number += 1
        name = f"{base}_{number}"
    return name


def _import_folder(found: ArchitectureFolder, name: str) -> ModuleType:
    """Import a folder that no package holds; its relative imports work, its parent stays out."""
    spec = importlib.util.spec_from_file_location(
        name, found.folder / INIT, submodule_search_locations=[str(found.folder)]
    )
    assert spec is not None, "a file has a spec"
    assert spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: relative imports and TorchScript look it up
    spec.loader.exec_module(module)
    return module


def _forget(name: str, before: set[str]) -> None:
    """Remove what a failed import left, so that the next attempt starts from scratch."""
    for loaded in set(sys.modules) - before:
        if loaded == name or loaded.startswith(f"{name}."):
            del sys.modules[loaded]


def _import_error(error: BaseException, found: ArchitectureFolder, name: str) -> ArchitectureError:
    what = f"the architecture {found.name!r} cannot be imported"
    where = _place(error, found.folder)
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ArchitectureError(f"{what}: {type(error).__name__}: {error}", where=where)
    missing = error.name
    top = missing.partition(".")[0]
    if top == PEER and (imports := foreign_imports(found.folder)):
        # not `pip install metatrain`: it brings an `mtt` command, which would replace this one
        whole = Problem(f"{what}: it is written for {PEER}", where, "write what mtt has instead:")
        error_of_all = ArchitectureError.collect([whole, *imports])
        assert isinstance(error_of_all, ArchitectureError)
        return error_of_all
    if missing.startswith(f"{name}.") or top == "mtt":
        return ArchitectureError(f"{what}: there is no module {missing!r}", where=where)
    if any((found.folder / f"{top}{suffix}").exists() for suffix in ("", ".py")):
        hint = f"it is in the same folder: write `from .{top} import ...`"
        return ArchitectureError(f"{what}: there is no module {missing!r}", where=where, hint=hint)
    distribution = found.origin.removeprefix("package ") if found.module else "mtt"
    hint = install_command(missing, found.name, distribution)
    return ArchitectureError(f"{what}: it needs {missing!r}", where=where, hint=hint)


def _place(error: BaseException, folder: Path) -> str:
    """The last line of the folder's own code on the way to ``error``."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    lines = [
        f"{frame.filename}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(folder)
    ]
    return lines[-1] if lines else str(folder / INIT)


def _problems(module: ModuleType, found: ArchitectureFolder) -> Iterator[Problem]:
    # imports torch, which a list of architectures does not need
    from mtt.interface import ModelInterface, TrainerInterface

    path = str(found.folder / INIT)
    for key, base in (("__model__", ModelInterface), ("__trainer__", TrainerInterface)):
        yield from _class_problems(module, key, base, path)
    for key in ("__authors__", "__maintainers__"):
        people = getattr(module, key, None)
        if not isinstance(people, (list, tuple)) or not all(map(_is_person, people)):
            what = "missing" if people is None else f"{people!r}"
            hint = 'a list of pairs like ("Name <mail>", "@handle")'
            yield Problem(f"{key} is {what}", path, f"it must be {hint}")
    if found.state == "deprecated" and not getattr(module, "__deprecated__", ""):
        hint = "a text that says until when, and what to use instead"
        yield Problem("__deprecated__ is missing", path, hint)


def _class_problems(module: ModuleType, key: str, base: type[Any], path: str) -> Iterator[Problem]:
    value: Any = getattr(module, key, None)
    fits = inspect.isclass(value) and issubclass(value, base)
    if value is None:
        yield Problem(f"{key} is missing", path, f"it must be a subclass of mtt.{base.__name__}")
    elif not fits:
        # repr of an unfinished object may fail; reprlib's does not
        shown = value if isinstance(value, type) else reprlib.repr(value)
        yield Problem(f"{key} is {shown}, not a subclass of mtt.{base.__name__}", path)
    elif methods := ", ".join(sorted(value.__abstractmethods__)):
        yield Problem(f"{key}, {value.__name__}, does not implement {methods}", path)
    else:  # what the contract declares for the class itself
        declared = [name for name in base.__annotations__ if name.startswith("__")]
        lacking = ", ".join(name for name in declared if not hasattr(value, name))
        if lacking:
            yield Problem(f"{key}, {value.__name__}, lacks the class attribute {lacking}", path)


def _is_person(value: Any) -> bool:
    pair = isinstance(value, (list, tuple)) and len(value) == 2
    return pair and all(isinstance(text, str) for text in value)
