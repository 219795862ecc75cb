"""Which weights a user means: patterns over the dotted names of parameters and modules.

The only such language: options of fine-tuning, learning rates, weight decay and the pre-fit
all use it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from torch import nn

from mtt.errors import ConfigError, Problem, did_you_mean


def matches(name: str, pattern: str) -> bool:
    """Whether ``pattern`` names ``name``, or a run of its dotted parts.

    ``*`` matches any text, dots included: ``heads`` and ``heads.0`` both name
    ``heads.0.last.weight``, and so do ``last.weight`` and ``*.0.*``.
    """
    parts = name.split(".")
    return any(
        fnmatchcase(".".join(parts[first:last]), pattern)
        for first in range(len(parts))
        for last in range(first + 1, len(parts) + 1)
    )


def check_patterns(model: nn.Module, patterns: Collection[str], where: str) -> None:
    """Whether every pattern names a parameter of ``model``.

    :param where: the option that holds the patterns.
    :raises ConfigError: one problem for each that does not.
    """
    select((name for name, _ in model.named_parameters()), patterns, where, "parameters")


def select(names: Iterable[str], patterns: Collection[str], where: str, what: str) -> list[str]:
    """Those of ``names`` that one of ``patterns`` names, in their order.

    :param where: the option that holds the patterns.
    :param what: what the names are, for the message.
    :raises ConfigError: one problem for each pattern that names nothing.
    """
    known = list(names)
    problems = [
        Problem(f"{pattern!r} matches none of the {what}", where, _hint(pattern, known))
        for pattern in patterns
        if not any(matches(name, pattern) for name in known)
    ]
    if problems:
        raise ConfigError.collect(problems)
    return [name for name in known if any(matches(name, pattern) for pattern in patterns)]


def first_parts(names: Iterable[str]) -> list[str]:
    """The outermost modules or parameters in ``names``, each once.

    Where one module holds all, its parts: ``network.embedding``, ``network.layers``.
    """
    parts = [name.split(".") for name in names]
    depth = 1
    while len({tuple(one[:depth]) for one in parts}) == 1 and all(
        len(p) > depth + 1 for p in parts
    ):
        depth += 1
    return list(dict.fromkeys(".".join(one[:depth]) for one in parts))


def _hint(pattern: str, known: Sequence[str]) -> str:
    parts = {
        ".".join(name.split(".")[:last]) for name in known for last in range(1, name.count(".") + 2)
    }
    close = did_you_mean(pattern.strip("*."), sorted(parts))
    return close or f"there are {', '.join(first_parts(known))}"
