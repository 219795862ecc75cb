"""Parameters that are fitted before the first epoch."""

from __future__ import annotations

from dataclasses import dataclass

from mtt.options.training.option import option


@dataclass(frozen=True)
class PrefitOptions:
    """What :func:`mtt.training.prefit.prefit` fits, and how exactly."""

    parameters: tuple[str, ...] = option(
        description="Names of parameters; * matches any text: prior.* is the whole prior.",
        minItems=1,
    )
    max_steps: int = option(200, "Maximum number of iterations; 200 unless given.", minimum=1)
    tolerance: float = option(
        1e-6,
        "Converged when no component of the gradient is larger; 1e-6 unless given.",
        minimum=0,
    )
