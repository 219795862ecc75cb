"""Second heads of a fine-tuning: they keep the reference of the source while others leave it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mtt.errors import ConfigError, Problem
from mtt.mlip.model import MLIPModel

KEPT = "source"
"""Name of the variant under which an old reference is kept, where its own name is taken."""


def second_heads(
    known: Collection[str], wanted: Collection[str], inherit: Mapping[str, str]
) -> dict[str, str]:
    """Name of a second head for every target of the source that the data have new labels of.

    A target of the source keeps its name unless the data have a target of that name: then its
    old reference is the variant ``energy/source``, with a number where that is taken too.

    :param known: targets of the source.
    :param wanted: targets of the data.
    :param inherit: the option ``inherit_heads``.
    :return: name of the head to the target of the source that it begins as.
    """
    counterparts = {name: inherit.get(name, name) for name in wanted}
    heads: dict[str, str] = {}
    for old in dict.fromkeys(one for one in counterparts.values() if one in known):
        name, number = old, 1
        while name in wanted or name in heads or (name in known and name != old):
            name = f"{old.partition('/')[0]}/{KEPT}{number if number > 1 else ''}"
            number += 1
        heads[name] = old
    return heads


def earlier_heads(known: Collection[str], heads: Mapping[str, str]) -> dict[str, str]:
    """Second heads of an earlier fine-tuning, which keep their names and references.

    :param known: targets of the source.
    :param heads: the new second heads, see :func:`second_heads`.
    :return: as :func:`second_heads`; only those of quantities that have a new second head too.
    """
    kept = {f"{old.partition('/')[0]}/{KEPT}" for old in heads.values()}
    taken = {*heads, *heads.values()}
    return {name: name for name in known if name not in taken and name.rstrip("0123456789") in kept}


def partners(counterparts: Mapping[str, str], heads: Mapping[str, str]) -> dict[str, str]:
    """Second head to the target of the data that begins as the same target of the source.

    One of an earlier fine-tuning has none; its partner is the first of the same quantity.
    """
    of_data = {name: one for name, one in counterparts.items() if name not in heads}
    found = {}
    for head, old in heads.items():
        same = [name for name, one in of_data.items() if one == old]
        alike = [n for n in of_data if n.partition("/")[0] == old.partition("/")[0]]
        found[head] = (same or alike)[0]
    return found


def check_target_hypers(
    source: MLIPModel, hypers: Mapping[str, Any], heads: Mapping[str, str]
) -> None:
    """A second head must be built as the one that it begins as.

    :raises ConfigError: an option of the model by target names one and not the other.
    """
    problems = []
    for option in source.__target_hypers__:
        given = hypers.get(option) or {}
        for head, old in heads.items():
            before = (source.hypers.get(option) or {}).get(old)
            if head != old and given.get(head) != before:
                what = f"{head!r} begins as {old!r} of the source, where {option} is {before!r}"
                where, hint = f"architecture.model.{option}", f"add {head}: {before}"
                problems.append(Problem(what, where, hint))
    if problems:
        raise ConfigError.collect(problems)
