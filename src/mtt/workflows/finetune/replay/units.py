"""Units of replayed structures: those of the training set and of the source; none is converted."""

from __future__ import annotations

from collections.abc import Mapping

from mtt.data import Dataset
from mtt.errors import ConfigError
from mtt.mlip import MLIPModel
from mtt.mlip.support import target_problems


def check_length_unit(whole: Dataset, wanted: str, where: str) -> None:
    """Positions of the replay and of the training set are in the same unit.

    :param where: the option ``replay``.
    :raises ConfigError: they are not.
    """
    own = whole.info.length_unit
    if own != wanted:
        what = f"is {own!r}, and that of the training set {wanted!r}"
        hint = "convert one of the files: a training has one unit of length"
        raise ConfigError(what, where=f"{where}.data.systems.length_unit", hint=hint)


def check_units(whole: Dataset, source: MLIPModel, heads: Mapping[str, str], where: str) -> None:
    """Labels of the file are those that heads of the source predict.

    :param heads: second head to the target of the source.
    :raises ConfigError: another unit or quantity.
    """
    known = source.dataset_info.targets
    problems = [
        problem._replace(where=f"{where}.data.targets", hint="give the labels in the model's unit")
        for old in heads.values()
        for problem in target_problems(old, whole.info.targets[old], known[old])
    ]
    if problems:
        raise ConfigError.collect(problems)
