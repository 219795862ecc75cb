"""Is a JSON Schema itself right? A validator ignores misspelt keywords; this does not."""

from __future__ import annotations

from typing import Any

import jsonschema
from jsonschema.validators import validator_for

from mtt.errors import ArchitectureError, Problem, did_you_mean
from mtt.options.yaml.places import KeyPath, dotted

_ONE = (  # keywords that hold one schema
    "additionalItems additionalProperties contains contentSchema else if items not "
    "propertyNames then unevaluatedItems unevaluatedProperties"
).split()
_MANY = "allOf anyOf oneOf prefixItems items".split()  # a list of schemas
_NAMED = "$defs definitions dependentSchemas patternProperties properties dependencies".split()
_PLAIN = (
    "$anchor $comment $dynamicAnchor $dynamicRef $id $ref $schema $vocabulary const "
    "contentEncoding contentMediaType default dependentRequired deprecated description enum "
    "examples exclusiveMaximum exclusiveMinimum format maxContains maxItems maxLength "
    "maxProperties maximum minContains minItems minLength minProperties minimum multipleOf "
    "pattern readOnly required title type uniqueItems writeOnly"
).split()
KEYWORDS = frozenset((*_ONE, *_MANY, *_NAMED, *_PLAIN))
"""The keywords of JSON Schema drafts 7 and 2020-12."""


def check_schema(schema: Any, source: str) -> None:
    """Check a JSON Schema against its draft, and every keyword against the known ones.

    Keywords that begin with ``x-`` are notes and may be anything.

    :param source: file of the schema, for messages.
    :raises ArchitectureError: a keyword is unknown or has a wrong value.
    """
    problems: list[Problem] = []
    _walk(schema, (), source, problems)
    if not problems and isinstance(schema, dict):
        validator = validator_for(schema, default=jsonschema.Draft202012Validator)
        meta = validator(validator.META_SCHEMA)
        for error in sorted(meta.iter_errors(schema), key=lambda e: list(map(str, e.path))):
            problems.append(Problem(error.message, _where(source, tuple(error.path))))
    if problems:
        raise ArchitectureError.collect(problems)


def _walk(schema: Any, path: KeyPath, source: str, problems: list[Problem]) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        problems.append(Problem("a schema is a mapping", _where(source, path)))
        return
    for keyword, value in schema.items():
        here = (*path, keyword)
        if keyword not in KEYWORDS and not keyword.startswith("x-"):
            hint = did_you_mean(keyword, KEYWORDS)
            problems.append(Problem("unknown keyword", _where(source, here), hint))
        elif keyword in _MANY and isinstance(value, list):
            for index, child in enumerate(value):
                _walk(child, (*here, index), source, problems)
        elif keyword in _ONE:
            _walk(value, here, source, problems)
        elif keyword in _NAMED and isinstance(value, dict):
            for name, child in value.items():
                if not (keyword == "dependencies" and isinstance(child, list)):
                    _walk(child, (*here, name), source, problems)


def _where(source: str, path: KeyPath) -> str:
    return f"{source} {dotted(path)}".strip()
