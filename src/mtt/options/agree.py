"""What the data sets of one file must agree on."""

from __future__ import annotations

from collections.abc import Callable

from mtt.errors import did_you_mean
from mtt.options.values import DatasetOptions, IndexSplit, Part
from mtt.options.yaml.places import KeyPath


def check_together(sets: dict[str, Part | None], add: Callable[[KeyPath, str, str], None]) -> None:
    """Check that data sets agree on targets, units and fractions.

    :param sets: ``training_set``, ``validation_set``, ``test_set``; None where one has faults.
    :param add: called with path, mistake and hint.
    """
    training = sets.get("training_set")
    lists = {name: part for name, part in sets.items() if isinstance(part, list)}
    _check_units(lists, add)
    if not isinstance(training, list):
        return
    known = {target for dataset in training for target in dataset.targets}
    for name, part in sets.items():
        if name == "training_set" or part is None:
            continue
        if isinstance(part, IndexSplit) and len(training) > 1:
            hint = "write indices inside each data set"
            add((name, "indices"), f"there are {len(training)} training sets", hint)
        if isinstance(part, list):
            for index, dataset in enumerate(part):
                for target in dataset.targets:
                    if target not in known:
                        path = (*_item(name, index, part), "targets", target)
                        add(path, "not a target of the training set", did_you_mean(target, known))
    fractions = [p for n, p in sets.items() if n != "training_set" and isinstance(p, float)]
    if sum(fractions) >= 1:
        what = f"validation_set and test_set together take {sum(fractions):g} of the structures"
        add(("test_set",), what, "leave some for the training")


def _check_units(
    lists: dict[str, list[DatasetOptions]], add: Callable[[KeyPath, str, str], None]
) -> None:
    first: dict[str, str] = {}
    for name, part in lists.items():
        for index, dataset in enumerate(part):
            path = _item(name, index, part)
            found = {"systems.length_unit": dataset.systems.length_unit}
            found |= {f"targets.{t}.unit": o.unit for t, o in dataset.targets.items()}
            for key, unit in found.items():
                if first.setdefault(key, unit).lower() != unit.lower():
                    group, _, rest = key.partition(".")
                    inner, _, last = rest.rpartition(".")
                    where = (*path, group, *([inner] if inner else []), last)
                    what = f"the unit is {unit!r}, elsewhere {first[key]!r}"
                    add(where, what, "all data sets must agree; units are not converted")


def _item(name: str, index: int, part: list[DatasetOptions]) -> KeyPath:
    return (name, index) if len(part) > 1 else (name,)
