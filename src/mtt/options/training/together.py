"""Options that do not go together, whatever the model and the data are."""

from __future__ import annotations

from collections.abc import Iterator

from mtt.options.training.whole import TrainingOptions
from mtt.options.yaml.places import Fault, KeyPath

_ONE = "leave one of the two out"


def clashes(options: TrainingOptions, path: KeyPath) -> Iterator[Fault]:
    """Everything that ``options`` ask for and cannot have at once, with the reason.

    :param path: where they are in the options file.
    """
    if options.batch_atoms is not None and options.max_atoms_per_batch is not None:
        what = "batch_atoms finds what max_atoms_per_batch says"
        yield Fault((*path, "batch_atoms"), what, _ONE)
    if not options.stages:
        yield from _in_stage(options, path)
    for number, stage in enumerate(options.stages or ()):
        yield from _in_stage(stage.options, (*path, "stages", number))


def _in_stage(options: TrainingOptions, path: KeyPath) -> Iterator[Fault]:
    if options.compile and options.amp is not None:
        yield Fault((*path, "compile"), "mixed precision cannot be compiled yet", _ONE)
    if options.compile and options.gradient_combination == "config":
        what = "what is compiled can be differentiated once, and config needs it once per term"
        yield Fault((*path, "compile"), what, _ONE)
