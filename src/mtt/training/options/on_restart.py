"""What a training that is resumed can take from changed options, and what it cannot."""

from __future__ import annotations

from mtt.options.training import TrainingOptions
from mtt.options.training.option import When, definitions

ACTS: dict[str, When] = {
    one.key: one.acts for one in definitions(TrainingOptions) if one.acts is not None
}
"""Training option to the moment at which it acts. A resumed training takes a change of the first
two kinds; a change of the third, or of an option that is missing here, is refused."""

BOUND = ("name", "from")
"""Options of a stage that act when it begins."""


def refusal(path: tuple[str | int, ...], stage: int, own: frozenset[str] = frozenset()) -> str:
    """Why a resumed training cannot take a change at ``path``; empty where it can.

    :param path: keys below ``architecture.training``, of which the first is the option.
    :param stage: number of the stage that has begun last, from 0; -1 before the first one.
    :param own: options beside those of the platform that the architecture's trainer takes.
    """
    option = str(path[0])
    if option == "stages" and len(path) > 1:
        return _of_stage(path, stage)
    if option in own or ACTS.get(option) in ("any time", "from here"):
        return ""
    if option in ACTS:
        return "it acts before the first step only"
    return f"{option} is not known to act after the first step"


def _of_stage(path: tuple[str | int, ...], stage: int) -> str:
    """Apply the same rules to ``stages[number]`` and the options below it."""
    number = int(path[1])
    if number < stage:
        return f"stage {number + 1} is over"
    # an entry that comes or goes is refused by the trainer, where a stage that runs needs it
    if number == stage and len(path) > 2 and path[2] in BOUND:
        return f"it acts when stage {number + 1} begins, which has happened"
    return ""
