"""The YAML dialect of options files: which plain scalars are numbers, booleans, text.

It is the dialect of metatrain's options (OmegaConf on PyYAML), less its traps: ``1e-3`` and
``1_000`` are numbers, dates are text; ``010`` and ``1:30`` are text (YAML 1.1 reads 8 and 90),
so that validation refuses them where a number is wanted.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

NULL = "tag:yaml.org,2002:null"
BOOL = "tag:yaml.org,2002:bool"
INT = "tag:yaml.org,2002:int"
FLOAT = "tag:yaml.org,2002:float"
STR = "tag:yaml.org,2002:str"
MERGE = "tag:yaml.org,2002:merge"

MAX_DEPTH = 64
"""Levels of lists and mappings in each other that a file may have; real ones have ten."""

MAX_DIGITS = 100
"""Digits of an integer; it must become a floating-point number where one is meant."""

_INT = re.compile(r"[-+]?(?:0x[0-9a-fA-F]+|0b[01]+|0|[1-9][0-9]*(?:_[0-9]+)*)\Z")
_FLOAT = re.compile(
    r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
    r"|[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)
_BOOL = re.compile(
    r"(?:true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)\Z"
)
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_MERGE = re.compile(r"<<\Z")
_WORDS = frozenset({"yes", "no", "on", "off"})

_RESOLVERS = (
    (BOOL, _BOOL, "yYnNtTfFoO"),
    (FLOAT, _FLOAT, "-+0123456789."),
    (INT, _INT, "-+0123456789"),
    (NULL, _NULL, ["~", "n", "N", ""]),
    (MERGE, _MERGE, "<"),
)


class Loader(yaml.SafeLoader):
    """Composes nodes with the tags of this dialect; values are built by ``load``."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node as PyYAML does, but refuse deep nesting before a RecursionError."""
        if self._depth > MAX_DEPTH:
            what = f"it is nested more than {MAX_DEPTH} levels deep"
            raise yaml.composer.ComposerError(None, None, what, self.peek_event().start_mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class Dumper(yaml.SafeDumper):
    """Writes text so that :class:`Loader` reads the same text again."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _tag, _regex, _first in _RESOLVERS:
    Loader.add_implicit_resolver(_tag, _regex, list(_first))
    Dumper.add_implicit_resolver(_tag, _regex, list(_first))


def scalar(tag: str, text: str, *, plain: bool) -> Any:
    """The value of a scalar node.

    :param plain: the scalar is a list item or a key, where ``No``, ``on``, ... stay text:
        ``[H, No]`` holds nobelium, whereas ``forces: on`` is a boolean.
    :raises ValueError: ``text`` is not of the type that ``tag`` says, or ``tag`` is not one
        of the plain types.
    """
    if tag == STR or (tag == BOOL and plain and text.lower() in _WORDS):
        return text
    if tag == NULL and _NULL.match(text):
        return None
    if tag == BOOL and _BOOL.match(text):
        return text.lower() in ("true", "yes", "on")
    if tag in (INT, FLOAT) and len(text) > MAX_DIGITS:
        raise ValueError(f"{text[:20]}… is a number of more than {MAX_DIGITS} characters")
    if tag == INT and _INT.match(text):
        return int(text.replace("_", ""), 0)
    if tag == FLOAT and (_FLOAT.match(text) or _INT.match(text)):
        return _float(text)
    kind = tag.removeprefix("tag:yaml.org,2002:")
    raise ValueError(f"{text!r} cannot be read as !!{kind}: only plain values are allowed")


def _float(text: str) -> float:
    digits = text.replace("_", "").lower()
    if digits.endswith((".inf", ".nan")):
        digits = digits.replace(".", "")
    return float(digits)
