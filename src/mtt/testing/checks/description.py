"""What an architecture says about itself: options, their schema, what it can learn, its repr."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from mtt.data.info import TargetInfo
from mtt.errors import ArchitectureError, MttError
from mtt.options import check_schema
from mtt.options.schema.validate import validate
from mtt.options.yaml.places import dotted
from mtt.testing import systems
from mtt.testing.failure import CheckFailed, DoesNotApply
from mtt.testing.subject import Subject, same_weights

KeyPath = tuple[str, ...]

KNOWN: tuple[KeyPath, ...] = (("name",), ("atomic_types",))
"""Keys that mean the same for all architectures."""


def check_defaults(subject: Subject) -> None:
    """The default options are valid, and make a model and a trainer."""
    architecture = subject.architecture
    defaults = architecture.default_hypers
    file = str(architecture.folder / "default-hypers.yaml")
    merged = {**defaults, "atomic_types": subject.elements, "training": subject.training_hypers}
    if architecture.schema is not None:
        faults = validate(merged, architecture.schema)
        if faults:
            lines = "; ".join(f"{dotted(fault.path)}: {fault.what}" for fault in faults)
            raise CheckFailed(f"the defaults break the folder's own schema: {lines}", where=file)
    subject.build(defaults["model"])
    architecture.trainer(subject.training_hypers)


def check_schema_file(subject: Subject) -> None:
    """The schema is right, refuses unknown keys, and describes every key."""
    architecture = subject.architecture
    file = str(architecture.folder / "schema-hypers.json")
    if architecture.schema is None:
        if architecture.state == "stable":
            raise CheckFailed("there is no schema, which a stable one needs", where=file)
        raise DoesNotApply("the folder has no schema-hypers.json")
    check_schema(architecture.schema, file)
    silent = [dotted(path) for path in _undescribed(architecture.schema, ())]
    if silent:
        raise CheckFailed(f"no description of {', '.join(silent)}", where=file)
    defaults = architecture.default_hypers
    for section in ("model", "training"):
        misspelt = {**defaults, section: {**defaults[section], "no_such_key": 1}}
        if not validate(misspelt, architecture.schema):
            raise CheckFailed(f"unknown keys of {section} pass", where=file)


def _undescribed(schema: Mapping[str, Any], path: KeyPath) -> Iterator[KeyPath]:
    """Keys without a description; sections speak through their keys."""
    for key, rule in schema.get("properties", {}).items():
        here = (*path, key)
        if "properties" in rule:
            yield from _undescribed(rule, here)
        elif here not in KNOWN and not str(rule.get("description", rule.get("$ref", ""))).strip():
            yield here


def check_targets(subject: Subject) -> None:
    """A target that the model cannot learn is refused when the model is built."""
    strange = TargetInfo(quantity="", kind="an unknown kind of tensor")
    info = subject.info.with_targets({"mtt::strange": strange})
    try:
        subject.architecture.model(copy.deepcopy(subject.model_hypers), info)
    except ArchitectureError:
        return
    raise CheckFailed(
        "a target of unknown kind is accepted",
        where=f"{subject.architecture.model.__name__}.__init__",
    )


def check_seed(subject: Subject) -> None:
    """The same seed makes the same weights."""
    first, second = subject.build(), subject.build()
    if not same_weights(first.state_dict(), second.state_dict()):
        raise CheckFailed("two models of one seed differ")


def check_repr(subject: Subject) -> None:
    """Options that change predictions show in ``repr(model)``."""
    base = subject.build()
    structures = systems.ordinary(subject.elements)
    before = subject.predict(structures, base)
    for path, hypers in _variations(subject.model_hypers):
        try:
            other = subject.build(hypers)
        except MttError:  # this one cannot be varied alone
            continue
        if repr(other) != repr(base):
            continue
        after = subject.predict(structures, other)
        pairs = zip(before, after, strict=True)
        if any(bool((a[n].values != b[n].values).any()) for a, b in pairs for n in a):
            raise CheckFailed(f"model.{dotted(path)} changes predictions, but not repr(model)")


def _variations(hypers: Mapping[str, Any]) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Copies of ``hypers`` with one number or switch changed."""
    for path, value in _leaves(hypers, ()):
        changed: Any
        if isinstance(value, bool):
            changed = not value
        elif isinstance(value, int):
            changed = value + 1
        elif isinstance(value, float):
            changed = value * 0.9
        else:
            continue
        copied = copy.deepcopy(dict(hypers))
        node = copied
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = changed
        yield path, copied


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    else:
        yield path, value
