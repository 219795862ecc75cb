"""Plain values to YAML of our dialect."""

from __future__ import annotations

import math
from typing import Any

import yaml

from mtt.options.yaml.dialect import Dumper


def to_yaml(values: Any) -> str:
    """YAML of plain values, which :func:`mtt.options.read_yaml` reads back unchanged.

    A list of plain values takes one line; every other entry has a separate line.
    """
    text: str = yaml.dump(
        values, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=math.inf
    )
    return text


class _Writer(Dumper):
    """Block style, but for lists of plain values."""

    def represent_sequence(
        self, tag: str, sequence: Any, flow_style: Any = None
    ) -> yaml.SequenceNode:
        plain = not any(isinstance(item, (list, dict)) for item in sequence)
        node: yaml.SequenceNode = super().represent_sequence(tag, sequence, flow_style=plain)
        return node

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # PyYAML's other styles fold line breaks, and take U+0085 for one
        style = None if data.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Writer.add_representer(str, _Writer.represent_str)
