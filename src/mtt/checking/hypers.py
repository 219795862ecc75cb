"""Options of the models that are checked: small ones are checked faster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtt.errors import ConfigError, Problem
from mtt.options.schema.validate import MODEL, validate
from mtt.options.yaml.load import load_document
from mtt.options.yaml.overrides import apply_overrides, deep_merge
from mtt.options.yaml.places import Fault
from mtt.registry import Architecture

_MODEL = ("architecture", "model")


def model_hypers(
    hypers: Sequence[str], overrides: Sequence[str], architecture: Architecture
) -> dict[str, Any]:
    """What is to be laid over the defaults of the model, valid for ``architecture``.

    :param hypers: files that hold options of the model, and ``key=value`` of them.
    :param overrides: ``architecture.model.key=value``, as for a training.
    :raises ConfigError: all that is wrong.
    """
    files = [text for text in hypers if "=" not in text]
    values: dict[str, Any] = {}
    for file in files:
        content = load_document(file).values
        if not isinstance(content, dict):
            raise ConfigError("holds no keys and values", where=file)
        values = deep_merge(values, content)
    document = load_document({"architecture": {"model": values}})
    single = [f"{'.'.join(_MODEL)}.{text}" for text in hypers if "=" in text]
    apply_overrides(document, [*single, *overrides])
    _check_keys(document.values, overrides)
    given: dict[str, Any] = document.values["architecture"]["model"]
    shared = architecture.model.platform_hypers()
    ours = {key: value for key, value in given.items() if key in shared}
    faults = validate(ours, {"$ref": MODEL}, _MODEL)
    if architecture.schema is not None:
        own = {key: value for key, value in given.items() if key not in shared}
        faults += _faults(own, architecture)
    if faults:
        raise ConfigError.collect(document.places.problems(faults))
    return given


def _check_keys(values: dict[str, Any], overrides: Sequence[str]) -> None:
    """Nothing but the model is built from options here."""
    others = [key for key in values if key != "architecture"]
    others += [f"architecture.{key}" for key in values["architecture"] if key != "model"]
    if others:
        what = "an architecture is checked with options of its model only"
        hint = "write -r architecture.model.KEY=VALUE"
        raise ConfigError.collect([Problem(what, f"-r {name}", hint) for name in others])


def _faults(given: dict[str, Any], architecture: Architecture) -> list[Fault]:
    """What the folder's schema says of the model's part; its training has its defaults."""
    assert architecture.schema is not None, "asked for where there is one"
    defaults = architecture.default_hypers
    merged = {
        "name": architecture.name,
        "model": deep_merge(defaults["model"], given),
        "training": deep_merge(architecture.trainer.platform_hypers(), defaults["training"]),
    }
    faults = validate(merged, architecture.schema, ("architecture",))
    return [fault for fault in faults if fault.path[:2] == _MODEL]
