"""The option ``type`` of a target: the name of a kind, or ``{name: {parameter: value}}``.

Within mtt a kind is a text: its name, followed by the parameters as JSON where there are any.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SCALAR = "scalar"


def kind_text(option: str | Mapping[str, Any] | None) -> str:
    """The text of what an options file has as ``type``."""
    if option is None or isinstance(option, str):
        return option or SCALAR
    ((name, parameters),) = option.items()
    return f"{name} {json.dumps(parameters, sort_keys=True)}" if parameters else str(name)


def kind_option(text: str) -> str | dict[str, Any]:
    """The option of which :func:`kind_text` gives ``text``."""
    name, _, parameters = text.partition(" ")
    return {name: json.loads(parameters)} if parameters else name
