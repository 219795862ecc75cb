"""Parse a mapping to ``TrainingOptions`` and collect all mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from mtt.errors import ConfigError, Problem
from mtt.options.schema.validate import validate
from mtt.options.training.finetune import finetune_faults
from mtt.options.training.loss import loss_faults
from mtt.options.training.together import clashes
from mtt.options.training.whole import TrainingOptions, training_schema
from mtt.options.yaml.places import Fault, KeyPath, dotted

SECTION = "architecture.training"
"""Where the options are in ``options.yaml``; for messages."""

PATH: KeyPath = ("architecture", "training")


def parse(values: Mapping[str, Any], *, path: KeyPath = PATH) -> TrainingOptions:
    """The options that ``values`` gives, the defaults below them; stages over the whole.

    Keys that are not options of the platform are left out: an architecture's trainer may have
    more. The loss is one name, or in its internal form.

    :param path: where ``values`` is in the options file, for messages.
    :raises ConfigError: all that is wrong, or does not go together.
    """
    refuse(find_faults(values, path))
    return TrainingOptions.of(values)


def refuse(faults: Sequence[Fault]) -> None:
    """:raises ConfigError: one problem for each of ``faults``, if there are any."""
    if faults:
        raise ConfigError.collect(
            [Problem(fault.what, dotted(fault.path), fault.hint) for fault in faults]
        )


def find_faults(values: Mapping[str, Any], path: KeyPath = PATH) -> list[Fault]:
    """All mistakes in the platform's options among ``values``."""
    known = TrainingOptions.keys()
    given = {key: _plain(value) for key, value in values.items() if key in known}
    faults = validate(given, _schema(), path)
    if faults:
        return faults
    stages = given.get("stages") or []
    losses = [((*path, "loss"), given.get("loss"))]
    losses += [
        ((*path, "stages", number, "loss"), stage.get("loss"))
        for number, stage in enumerate(stages)
    ]
    for where, loss in losses:
        faults += loss_faults(loss, where)
    faults += finetune_faults(given.get("finetune", {}), (*path, "finetune"))
    return faults or list(clashes(TrainingOptions.of(given), path))


@cache
def _schema() -> dict[str, Any]:
    return training_schema()


def _plain(value: Any) -> Any:
    """``value`` as a file has it: Python's tuples are lists there."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
