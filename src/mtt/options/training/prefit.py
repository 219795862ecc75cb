"""Parameters that are fitted before the first epoch."""

from __future__ import annotations

from dataclasses import dataclass

from mtt.options.training.option import option


@dataclass(frozen=True)
class PrefitOptions:
    """What :func:`mtt.training.prefit.prefit` fits, and how exactly."""

    parameters: tuple[str, ...] = option(
        description="Names, with * for any text: prior.* is the prior's parameters.", minItems=1
    )
    max_steps: int = option(200, "Iterations at most; 200 unless given.", minimum=1)
    tolerance: float = option(
        1e-6,
        "Converged when no component of the gradient is larger; 1e-6 unless given.",
        minimum=0,
    )
