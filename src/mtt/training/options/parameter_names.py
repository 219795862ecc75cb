"""Options that name parameters by pattern, ``*`` for any text."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase

from torch import nn

from mtt.errors import ConfigError, Problem, did_you_mean


def check_patterns(model: nn.Module, patterns: Collection[str], where: str) -> None:
    """Whether every pattern is of a parameter.

    :param where: the option that holds the patterns, for messages.
    :raises ConfigError: one problem for each that is not.
    """
    known = [name for name, _ in model.named_parameters()]
    groups = sorted({f"{name.partition('.')[0]}.*" for name in known})
    problems = [
        Problem(
            f"no parameter of the model is called {pattern!r}",
            where=where,
            hint=did_you_mean(pattern, [*groups, *known]) or f"there are {', '.join(groups)}",
        )
        for pattern in patterns
        if not any(fnmatchcase(name, pattern) for name in known)
    ]
    if problems:
        raise ConfigError.collect(problems)
