"""Values and types as messages name them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

_TYPES = {
    "integer": "an integer",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+\Z")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9]+(?::[0-9]+)+\Z")


def expected(types: Sequence[str]) -> str:
    """``an integer or null``."""
    words = [_TYPES[name] for name in types]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def shown(value: Any, *, short: bool = False) -> str:
    """A value in a message; ``short`` leaves out what type it is of."""
    if isinstance(value, str):
        text = value if len(value) < 60 else value[:57] + "..."
        return repr(text) if short else f"the text {text!r}"
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, dict):
        return f"a mapping ({', '.join(map(str, list(value)[:4]))})" if value else "a mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return repr(value)


def spelling_hint(value: Any, types: Sequence[str]) -> str:
    """Why a value that looks right is not of one of the ``types``."""
    if isinstance(value, float) and not math.isfinite(value):
        return "numbers must be finite"
    if isinstance(value, float) and "integer" in types and value.is_integer():
        return f"write {int(value)}"
    if isinstance(value, str) and ("integer" in types or "number" in types):
        if _LEADING_ZERO.match(value):
            return "numbers have no leading zero"
        if _SEXAGESIMAL.match(value):
            return "write one number"
    return ""
