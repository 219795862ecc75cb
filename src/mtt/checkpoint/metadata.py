"""``metatomic.torch.ModelMetadata`` as plain values, for checkpoints and YAML files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metatomic.torch import ModelMetadata

from mtt.errors import ConfigError, Problem, did_you_mean

_FIELDS: dict[str, Any] = {
    "name": str,
    "description": str,
    "authors": list,
    "references": dict,
    "extra": dict,
}
_REFERENCES = ("architecture", "implementation", "model")


def metadata_to_dict(metadata: ModelMetadata) -> dict[str, Any]:
    """Plain types only; :func:`metadata_from_dict` reads it back."""
    return {
        "name": metadata.name,
        "description": metadata.description,
        "authors": list(metadata.authors),
        "references": {key: list(items) for key, items in metadata.references.items()},
        "extra": dict(metadata.extra),
    }


def metadata_from_dict(values: Mapping[str, Any], *, where: str = "metadata") -> ModelMetadata:
    """Metadata from ``name``, ``description``, ``authors``, ``references`` and ``extra``.

    :param where: the file, for messages.
    :raises ConfigError: a key is unknown or a value has the wrong type; all of them.
    """
    problems = list(_problems(values, where))
    if problems:
        raise ConfigError.collect(problems)
    return ModelMetadata(
        name=values.get("name", ""),
        description=values.get("description", ""),
        authors=list(values.get("authors", [])),
        references={key: list(items) for key, items in values.get("references", {}).items()},
        extra=dict(values.get("extra", {})),
    )


def merge_metadata(base: ModelMetadata, update: ModelMetadata) -> ModelMetadata:
    """``base`` with what ``update`` says: texts replaced, lists and mappings extended."""
    old, new = metadata_to_dict(base), metadata_to_dict(update)
    references = {
        key: _union(old["references"].get(key, []), new["references"].get(key, []))
        for key in [*old["references"], *new["references"]]
    }
    return ModelMetadata(
        name=new["name"] or old["name"],
        description=new["description"] or old["description"],
        authors=_union(old["authors"], new["authors"]),
        references=references,
        extra={**old["extra"], **new["extra"]},
    )


def _union(first: list[str], second: list[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))


def _problems(values: Any, where: str) -> list[Problem]:
    if not isinstance(values, Mapping):
        return [Problem(f"holds {values!r}, not keys and values", where)]
    problems = []
    for key, value in values.items():
        place = f"{where} {key}"
        if key not in _FIELDS:
            problems.append(Problem("unknown key", place, did_you_mean(key, _FIELDS)))
        elif type(value) is not _FIELDS[key]:
            problems.append(Problem(f"{value!r} is not a {_FIELDS[key].__name__}", place))
        elif key == "authors":
            problems.extend(_not_texts(value, place))
        elif key == "references":
            problems.extend(_reference_problems(value, place))
        elif key == "extra":
            problems.extend(_not_texts([*value, *value.values()], place))
    return problems


def _reference_problems(references: Mapping[Any, Any], place: str) -> list[Problem]:
    problems = []
    for key, items in references.items():
        if key not in _REFERENCES:
            hint = did_you_mean(key, _REFERENCES) or f"one of {', '.join(_REFERENCES)}"
            problems.append(Problem("unknown key", f"{place}.{key}", hint))
        elif not isinstance(items, list):
            problems.append(Problem(f"{items!r} is not a list", f"{place}.{key}"))
        else:
            problems.extend(_not_texts(items, f"{place}.{key}"))
    return problems


def _not_texts(items: list[Any], place: str) -> list[Problem]:
    return [Problem(f"{x!r} is not a text", place) for x in items if not isinstance(x, str)]
