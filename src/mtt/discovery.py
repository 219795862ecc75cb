"""What the files of a folder and other packages offer by name: losses, readers, loggers, ...

A file of the folder offers one thing: the object of a fixed name in it. It is called like the
file, and described by the first paragraph of its docstring::

    # training/losses/elementwise/mae.py
    '''The size of d.'''
    LOSS = ElementwiseLoss(absolute)

Another package offers the same through an entry point, whose name is the name::

    [project.entry-points."mtt.losses"]
    log_cosh = "my_package.log_cosh"     # or "my_package.losses:LOG_COSH"

Names, descriptions and literal arguments (``only_forces=True``) are read from the source, which
is not run: options are checked and described without torch. What is wrong with one of them is
reported where it is used, and disturbs no other.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from mtt.errors import ConfigError, MttError, did_you_mean

T = TypeVar("T")


@dataclass(frozen=True)
class Offer:
    """One thing that was found, not imported yet.

    :param attribute: of the module; may have dots.
    :param origin: ``mtt``, or ``package NAME``; for messages.
    :param file: the source of the module; None where there is none (a compiled module).
    :param problem: why it cannot be used, if so.
    """

    name: str
    module: str
    attribute: str
    origin: str
    file: Path | None = None
    problem: str = ""


@dataclass(frozen=True)
class Plugins:
    """All things of one kind.

    :param what: one of them, for messages: ``loss``.
    :param package: the package whose modules they are; folders in it sort them. Names that begin
        with ``_`` are left out.
    :param group: the entry-point group of other packages.
    :param attribute: the name that the object has in its module.
    """

    what: str
    package: str
    group: str
    attribute: str

    def find(self) -> dict[str, Offer]:
        """By name, sorted. A name that two claim is there once, with a ``problem``."""
        return dict(_all_of(self, tuple(sys.path)))

    def names(self) -> tuple[str, ...]:
        """All names, sorted; nothing is imported."""
        return tuple(self.find())

    def described(self) -> dict[str, str]:
        """Name to the first line of the docstring, without its full stop; nothing is imported."""
        return {name: _description(one) for name, one in self.find().items() if not one.problem}

    def fact(self, name: str, key: str, default: T) -> T:
        """The literal that ``name`` is made with as ``key=...``; ``default`` where it is not.

        It is read from the source; only what is made in another way is imported for it.

        :param default: that of its class.
        :raises ConfigError: as :meth:`load`, or the argument is not a literal.
        """
        one = self._checked(name, "", ConfigError)
        call = _made_by(one)
        if call is not None:
            return _argument(call, key, default, one)
        return _of_type(getattr(_imported(self, one, "", ConfigError), key, default), default, one)

    def facts(self, key: str, default: T) -> dict[str, T]:
        """:meth:`fact` by name, of all whose source says it; nothing is imported.

        What is not a literal, or not of its type, is left out: :meth:`fact` reports it.
        """
        found = {}
        for name, one in self.find().items():
            call = None if one.problem else _made_by(one)
            if call is not None:
                with suppress(ConfigError):
                    found[name] = _argument(call, key, default, one)
        return found

    def check(self, name: str, where: str = "", error: type[MttError] = ConfigError) -> None:
        """Whether ``name`` is one of them; nothing is imported.

        :param where: where the name was written, for messages.
        :raises MttError: of the class ``error``: it is unknown (with the nearest name), two have
            it, or the entry point leads nowhere.
        """
        self._checked(name, where, error)

    def load(
        self,
        name: str,
        expected: type[T],
        where: str = "",
        error: type[MttError] = ConfigError,
    ) -> T:
        """The object called ``name``; its module alone is imported.

        :param expected: its class.
        :raises MttError: as :meth:`check`; or the module cannot be imported, or has no such
            object. File or package are named.
        """
        one = self._checked(name, where, error)
        found = _imported(self, one, where, error)
        if not isinstance(found, expected):
            what = f"{one.attribute} of the {self.what} {name!r} is not a {expected.__name__}"
            raise error(what, where=where, hint=f"it is in {_place(one)}")
        return found

    def _checked(self, name: str, where: str, error: type[MttError]) -> Offer:
        found = self.find()
        one = found.get(name)
        if one is None:
            hint = did_you_mean(name, found) or f"one of {', '.join(found)}"
            raise error(f"unknown {self.what} {name!r}", where=where, hint=hint)
        if one.problem:
            what = f"the {self.what} {name!r} cannot be used: {one.problem}"
            raise error(what, where=where, hint="rename one, or mend or remove the package")
        return one


AVERAGES = Plugins("average", "mtt.training.averaging.named", "mtt.averages", "AVERAGE")
LOSSES = Plugins("loss", "mtt.training.losses.elementwise", "mtt.losses", "LOSS")
READERS = Plugins("reader", "mtt.data.files.readers", "mtt.readers", "READER")
SCHEDULES = Plugins("schedule", "mtt.training.schedules.curves", "mtt.schedules", "SCHEDULE")
LOGGERS = Plugins("logger", "mtt.training.reporting.loggers", "mtt.loggers", "LOGGER")
OPTIMIZERS = Plugins("optimizer", "mtt.training.optimizers.named", "mtt.optimizers", "OPTIMIZER")

TARGET_KINDS = Plugins("kind of target", "mtt.data.kinds", "mtt.target_kinds", "KIND")

KINDS = (AVERAGES, LOSSES, LOGGERS, OPTIMIZERS, READERS, SCHEDULES, TARGET_KINDS)
"""Every kind of thing that is found by being there."""


def source_of(module: str) -> ModuleSpec | None:
    """Where a module is, found without importing it or its parents; None where it is not."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
        name = top
        for part in rest:
            if spec is None:
                return None
            name = f"{name}.{part}"
            spec = PathFinder.find_spec(name, spec.submodule_search_locations)
    except (ImportError, ValueError):
        return None
    return spec


@cache
def _all_of(kind: Plugins, path: tuple[str, ...]) -> dict[str, Offer]:
    """The packages on ``path`` are looked through once: a process asks some hundred times."""
    found: dict[str, Offer] = {}
    for one in (*_of_folder(kind), *_of_packages(kind)):
        first = found.get(one.name)
        if first is None:
            found[one.name] = one
        elif not first.problem:
            both = f"{_place(first)} and {_place(one)}"
            found[one.name] = replace(first, problem=f"two have this name, {both}")
    return dict(sorted(found.items()))


def _of_folder(kind: Plugins) -> Iterator[Offer]:
    spec = source_of(kind.package)
    assert spec is not None, kind.package
    for place in spec.submodule_search_locations or ():
        for file in sorted(Path(place).rglob("*.py")):
            if not file.name.startswith("_"):
                inner = file.relative_to(place).with_suffix("").parts
                module = ".".join((kind.package, *inner))
                yield Offer(file.stem, module, kind.attribute, "mtt", file)


def _of_packages(kind: Plugins) -> Iterator[Offer]:
    for point in entry_points(group=kind.group):
        yield _of_package(kind, point)


def _of_package(kind: Plugins, point: EntryPoint) -> Offer:
    origin = f"package {point.dist.name}" if point.dist is not None else "an entry point"
    spec = source_of(point.module)
    attribute = point.attr or kind.attribute
    if spec is None:
        problem = f"the entry point of {origin} names {point.module!r}, which is not a module"
        return Offer(point.name, point.module, attribute, origin, None, problem)
    file = Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    return Offer(point.name, point.module, attribute, origin, file)


def _imported(kind: Plugins, one: Offer, where: str, error: type[MttError]) -> Any:
    try:
        found: Any = importlib.import_module(one.module)
        for part in one.attribute.split("."):
            found = getattr(found, part)
    except MttError:
        raise
    except Exception as cause:  # a foreign module may raise anything while it is imported
        what = f"the {kind.what} {one.name!r} cannot be loaded ({type(cause).__name__}: {cause})"
        hint = f"mend {_place(one)}"
        raise error(what, where=where, hint=hint) from cause
    return found


def _place(one: Offer) -> str:
    """Package and file."""
    file = str(one.file) if one.file is not None else one.module
    return file if one.origin == "mtt" else f"{file} of {one.origin}"


def _description(one: Offer) -> str:
    """The first paragraph of the docstring on one line, without its full stop."""
    text = ast.get_docstring(_tree(one)) or ""
    return " ".join(text.partition("\n\n")[0].split()).removesuffix(".")


def _made_by(one: Offer) -> ast.Call | None:
    """The call in ``ATTRIBUTE = Class(...)``, if that is how the module makes it."""
    for node in _tree(one).body:
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if one.attribute in names and isinstance(node.value, ast.Call):
            return node.value
    return None


def _tree(one: Offer) -> ast.Module:
    """The source; empty where there is none, or it cannot be parsed (loading says why)."""
    if one.file is None:
        return ast.Module([], [])
    try:
        return _parsed(one.file, one.file.stat().st_mtime_ns)
    except (OSError, SyntaxError, ValueError):
        return ast.Module([], [])


@cache
def _parsed(file: Path, changed: int) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _argument(call: ast.Call, key: str, default: T, one: Offer) -> T:
    """The literal that ``call`` has as ``key``."""
    given = next((keyword.value for keyword in call.keywords if keyword.arg == key), None)
    if given is None:
        return default
    try:
        return _of_type(ast.literal_eval(given), default, one)
    except (ValueError, TypeError):
        what = f"{key} of {one.attribute} must be a literal in {_place(one)}: it is read, not run"
        raise ConfigError(what) from None


def _of_type(value: Any, default: T, one: Offer) -> T:
    """``value``, which has the type of the default."""
    if not isinstance(value, type(default)):
        kind = type(default).__name__
        raise ConfigError(f"{value!r} for {one.attribute} in {_place(one)} must be of type {kind}")
    return value
