"""Options of the form ``name`` or ``{name: ..., option: ...}``, checked before they are used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mtt.errors import ConfigError, Problem, did_you_mean


@dataclass(frozen=True)
class Option:
    """One option: its default, which values are allowed, and how to say so.

    A default of None, which leaves the option unset, is allowed too.
    """

    default: Any
    allows: Callable[[Any], bool]
    expected: str

    def takes(self, value: Any) -> bool:
        """Whether ``value`` is allowed."""
        return (value is None and self.default is None) or self.allows(value)


def check_name(name: str, known: Iterable[str], what: str, where: str) -> None:
    """Whether ``name`` is one of ``known``.

    :param what: the kind of thing, for the message: ``optimizer``.
    :raises ConfigError: it is not.
    """
    known = list(known)
    if name not in known:
        hint = did_you_mean(name, known) or f"one of {', '.join(known)}"
        raise ConfigError(f"unknown {what} {name!r}", where=where, hint=hint)


def check_options(
    given: Mapping[str, Any],
    known: Mapping[str, Option],
    where: str,
    elsewhere: Mapping[str, str] | None = None,
) -> None:
    """Whether every given option exists and has a sound value.

    :param where: key of the whole mapping; the option's name is appended.
    :param elsewhere: names that are set in another place, and what to do instead.
    :raises ConfigError: one problem for each option that is wrong.
    """
    problems = []
    for key, value in given.items():
        here = f"{where}.{key}"
        if elsewhere and key in elsewhere:
            problems.append(Problem("not an option of it", here, elsewhere[key]))
        elif key not in known:
            names = ", ".join(known) or "it has none"
            hint = did_you_mean(key, known) or f"options: {names}"
            problems.append(Problem("unknown option", here, hint))
        elif not known[key].takes(value):
            problems.append(Problem(f"expected {known[key].expected}, not {value!r}", here))
    if problems:
        raise ConfigError.collect(problems)


def is_number(value: Any) -> bool:
    """An int or a finite float, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def is_integer(value: Any) -> bool:
    """An int, and no bool."""
    return isinstance(value, int) and not isinstance(value, bool)
