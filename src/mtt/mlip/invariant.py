"""Which numbers of a target a baseline by composition can be part of: those that never turn."""

from __future__ import annotations

from mtt.baselines.given import WHERE
from mtt.data.info import TargetInfo
from mtt.errors import ConfigError


def check_invariant(name: str, target: TargetInfo) -> None:
    """Whether numbers of elements can be given for the target.

    :raises ConfigError: all of its components turn with the structure.
    """
    if not target.invariant_columns:
        raise ConfigError(
            f"{name} is a {target.of_kind.name}, which turns with the structure: no number of an "
            "element can be part of it",
            where=f"{WHERE}.{name}",
            hint="leave it out",
        )
