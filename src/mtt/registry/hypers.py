"""The two data files of an architecture folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mtt.errors import ArchitectureError, ConfigError, Problem, did_you_mean
from mtt.options.yaml.load import read_yaml
from mtt.registry.architecture import DEFAULTS, SCHEMA, ArchitectureFolder

_KEYS = ("name", "model", "training")


def default_hypers(found: ArchitectureFolder) -> dict[str, Any]:
    """``{name, model, training}`` of ``default-hypers.yaml``.

    :raises ArchitectureError: it is not YAML, or holds something else; all that is wrong.
    """
    path = found.folder / DEFAULTS
    try:
        values = read_yaml(path)
    except ConfigError as error:
        raise ArchitectureError.collect(error.problems) from error
    if isinstance(values, dict) and set(values) == {"architecture"}:
        values = values["architecture"]
    if not isinstance(values, dict):
        raise ArchitectureError(
            f"holds no keys and values, but needs {', '.join(_KEYS)}", where=str(path)
        )
    problems = _problems(values, found, path)
    if problems:
        raise ArchitectureError.collect(problems)
    # an empty section is written `model:` or `model: {}`
    sections = {key: values[key] or {} for key in ("model", "training")}
    return {"name": found.name, **sections}


def schema(found: ArchitectureFolder) -> dict[str, Any] | None:
    """``schema-hypers.json``, or None where the folder has none.

    :raises ArchitectureError: it is not JSON, or not a JSON Schema.
    """
    path = found.folder / SCHEMA
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ArchitectureError(
            f"not valid JSON: {error.msg}", where=f"{path}:{error.lineno}:{error.colno}"
        ) from error
    except UnicodeDecodeError as error:
        raise ArchitectureError("not a text file in UTF-8", where=str(path)) from error
    _check_schema(content, path)
    assert isinstance(content, dict)
    return content


def _check_schema(content: Any, path: Path) -> None:
    from jsonschema import SchemaError
    from jsonschema.validators import Draft7Validator, validator_for

    if not isinstance(content, dict):
        raise ArchitectureError("is not a JSON Schema, which is an object", where=str(path))
    try:
        validator_for(content, default=Draft7Validator).check_schema(content)
    except SchemaError as error:
        place = ".".join(str(part) for part in error.absolute_path)
        raise ArchitectureError(
            f"is not a JSON Schema: {error.message}", where=f"{path} {place}".rstrip()
        ) from error


def _problems(values: dict[Any, Any], found: ArchitectureFolder, path: Path) -> list[Problem]:
    problems = [
        Problem(f"unknown key {key!r}", str(path), did_you_mean(key, _KEYS))
        for key in values
        if key not in _KEYS
    ]
    problems += [Problem(f"{key!r} is missing", str(path)) for key in _KEYS if key not in values]
    for key in ("model", "training"):
        if not isinstance(values.get(key), (dict, type(None))):
            problems.append(Problem(f"{key!r} holds {values[key]!r}, not options", str(path)))
    declared = values.get("name", found.name)
    if str(declared).rpartition(".")[2] != found.name.rpartition(".")[2]:
        problems.append(
            Problem(
                f"names it {declared!r}, but it is found as {found.name!r}",
                str(path),
                f"write `name: {found.name}`",
            )
        )
    return problems
