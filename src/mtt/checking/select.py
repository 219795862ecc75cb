"""Which checks to run, and on which models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from mtt.checking.target import Target
from mtt.errors import ConfigError, Problem, did_you_mean
from mtt.testing import CHECKS, NAMES, Check


@dataclass(frozen=True)
class Selection:
    """What the user wishes.

    :param checks: those to run on architectures.
    :param hypers: options of the model, as files or ``key=value``, laid over the defaults.
    :param overrides: ``key=value`` from the root of an options file, as for a training.
    :param architectures: folders of architectures outside of the package.
    :param fit: fit a model to the data of options files, and hold the labels against it.
    """

    checks: tuple[Check, ...] = CHECKS
    hypers: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    architectures: tuple[Path, ...] = ()
    fit: bool = False


def select(patterns: Sequence[str]) -> tuple[Check, ...]:
    """The checks whose names hold one of ``patterns``, or match it (``*`` for any text).

    Capitals do not matter. All checks if there are no patterns.

    :raises ConfigError: patterns that no check matches.
    """
    problems = [
        Problem("no check has such a name", f"--only {pattern}", _hint(pattern))
        for pattern in patterns
        if not any(_matches(name, pattern) for name in NAMES)
    ]
    if problems:
        raise ConfigError.collect(problems)
    chosen = [c for c in CHECKS if any(_matches(c.name, pattern) for pattern in patterns)]
    return tuple(chosen) if patterns else CHECKS


def refuse_for_options(targets: Sequence[Target], only: bool, hypers: bool) -> None:
    """Options of architectures mean nothing if none is among ``targets``.

    :raises ConfigError: one was given nevertheless.
    """
    given = [name for name, used in (("--only", only), ("--hypers", hypers)) if used]
    if given and all(target.kind == "options" for target in targets):
        what = "is for architectures, and none is to be checked"
        raise ConfigError.collect([Problem(what, name) for name in given])


def refuse_for_architectures(targets: Sequence[Target], fit: bool) -> None:
    """Options of options files mean nothing if none is among ``targets``.

    :raises ConfigError: one was given nevertheless.
    """
    if fit and all(target.kind == "architecture" for target in targets):
        raise ConfigError("is for options files, and none is to be checked", where="--fit")


def _matches(name: str, pattern: str) -> bool:
    name, pattern = name.lower(), pattern.lower()
    return pattern in name or fnmatchcase(name, pattern)


def _hint(pattern: str) -> str:
    """The word, or the whole name, that was meant; else all names."""
    words = sorted({word for name in NAMES for word in name.split()})
    names = "\n  ".join(NAMES)
    return did_you_mean(pattern, [*words, *NAMES]) or f"the checks are\n  {names}"
