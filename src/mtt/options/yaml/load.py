"""YAML file or dict to plain values, with the line of every key."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mtt.errors import ConfigError, Problem
from mtt.options.yaml.dialect import MERGE, Loader, scalar
from mtt.options.yaml.places import KeyPath, Places, dotted
from mtt.regular import unreadable

_ZIP = b"PK\x03\x04"  # the beginning of all files that hold a model
MAX_BYTES = 64 * 2**20
"""Largest file that is read; a real one has a few kilobytes, with lists of indices some more."""

MAX_REPEATED = 20_000
"""Most values that aliases may expand to, in addition to those written out."""


@dataclass
class Document:
    """Values of an options file and their places.

    :param values: dict, list and plain values.
    :param places: where each value was written.
    """

    values: Any
    places: Places


def load_document(source: str | os.PathLike[str] | Mapping[str, Any] | list[Any]) -> Document:
    """Read a YAML file, or take a dict or list in its place.

    :raises ConfigError: no such file, not YAML, a duplicate key, a tag that is not plain data,
        more levels, digits or repeated values than any real file has.
    """
    if isinstance(source, (str, os.PathLike)):
        return parse(_read(Path(source)), os.fspath(source))
    return Document(_plain_values(source, ()), Places())


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """The values of a YAML file of this dialect (a folder's ``default-hypers.yaml``).

    :raises ConfigError: as :func:`load_document`.
    """
    return load_document(path).values


def parse(text: str, source: str) -> Document:
    """Read YAML from ``text``; ``source`` names it in messages.

    :raises ConfigError: as :func:`load_document`.
    """
    loader: Loader | None = None
    try:
        loader = Loader(text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, source) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        character = text[error.position]
        raise ConfigError(
            f"the character {character!r} is not allowed in YAML",
            where=f"{source}:{line}:{column}",
        ) from error
    finally:
        if loader is not None:
            loader.dispose()
    places = Places(source)
    # what is written takes a character at least
    builder = _Builder(places, itertools.count(), len(text) + MAX_REPEATED)
    values = None if root is None else builder.build(root, ())
    if builder.duplicates:
        raise ConfigError.collect(builder.duplicates)
    return Document(values, places)


def _read(path: Path) -> str:
    wrong = unreadable(path)
    if wrong:
        raise ConfigError(wrong.what, where=str(path), hint=wrong.hint)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if content.startswith(_ZIP):
            what = "is a checkpoint or an exported model, not an options file"
            raise ConfigError(what, where=str(path), hint="`mtt show` says what it holds")
        if len(content) > MAX_BYTES:
            what = f"is not an options file: it has more than {MAX_BYTES:,} bytes"
            raise ConfigError(what, where=str(path))
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except FileNotFoundError as error:
        folder = path.parent
        near = sorted(p.name for p in folder.glob("*.y*ml")) if folder.is_dir() else []
        hint = f"{folder} holds {', '.join(near[:8])}" if near else "check the path"
        raise ConfigError("no such file", where=str(path), hint=hint) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            "not a text file", where=str(path), hint="options are YAML in UTF-8"
        ) from error
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", where=str(path)) from error


def _syntax_error(error: yaml.MarkedYAMLError, source: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    where = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
    what = error.problem or "not valid YAML"
    start = error.context_mark
    if error.context and start is not None and mark is not None:
        what += f" ({error.context} that begins on line {start.line + 1})"
    hint = ""
    if "'\\t'" in what:
        hint = "YAML is indented with spaces, not tabs"
    elif "flow" in (error.context or ""):
        hint = "a bracket is not closed, or a comma is missing"
    return ConfigError(f"not valid YAML: {what}", where=where, hint=hint)


class _Builder:
    """Turns YAML nodes into values; notes the line of every key and list item.

    :param built: counts the values, of which there may be ``most``: a few aliases of aliases
        would fill any memory.
    """

    def __init__(self, places: Places, built: Iterator[int], most: int) -> None:
        self.places = places
        self._built = built
        self._most = most
        self.duplicates: list[Problem] = []
        self._open: list[yaml.Node] = []  # nodes being built, to find an alias to itself

    def build(self, node: yaml.Node, path: KeyPath, *, plain: bool = False) -> Any:
        if next(self._built) > self._most:
            raise self._error(node, path, f"aliases expand to more than {self._most:,} values")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path, plain=plain)
        if any(node is other for other in self._open):
            raise self._error(node, path, "an alias refers to a value that contains it")
        self._open.append(node)
        try:
            if isinstance(node, yaml.SequenceNode) and node.tag.endswith(":seq"):
                return [self._item(child, (*path, i)) for i, child in enumerate(node.value)]
            if isinstance(node, yaml.MappingNode) and node.tag.endswith(":map"):
                return self._mapping(node, path)
        finally:
            self._open.pop()
        raise self._error(node, path, f"the tag {_tag(node)} is not allowed")

    def _item(self, node: yaml.Node, path: KeyPath) -> Any:
        self.places.mark_line(path, _line(node))
        return self.build(node, path, plain=True)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str | int, Any]:
        values: dict[str | int, Any] = {}
        lines: dict[str | int, int] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            if key_node.tag == MERGE:
                merged.append(value_node)
                continue
            key = self._key(key_node, path)
            if key in lines:
                what = f"duplicate key, first given on line {lines[key]}"
                error = self._error(key_node, (*path, key), what, "keep one of the two")
                self.duplicates.extend(error.problems)
                continue
            lines[key] = _line(key_node)
            self.places.mark_line((*path, key), lines[key])
            values[key] = self.build(value_node, (*path, key))
        for value_node in merged:
            self._merge(values, value_node, path)
        return values

    def _merge(self, values: dict[str | int, Any], node: yaml.Node, path: KeyPath) -> None:
        """``<<: *anchor``: keys of the anchor that are not given here."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                raise self._error(node, path, "'<<' merges mappings only")
            merged = _Builder(Places(self.places.source), self._built, self._most).build(
                source, path
            )
            for key_node, value_node in source.value:
                if key_node.tag != MERGE and (key := self._key(key_node, path)) not in values:
                    self.places.mark_line((*path, key), _line(key_node))
                    self.build(value_node, (*path, key))
            for key, value in merged.items():
                values.setdefault(key, value)

    def _key(self, node: yaml.Node, path: KeyPath) -> str | int:
        value = self.build(node, path, plain=True)
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise self._error(node, path, f"the key {node.value!r} is not a name or an integer")
        return value

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath, *, plain: bool) -> Any:
        # a quoted scalar has the text tag already
        try:
            return scalar(node.tag, node.value, plain=plain)
        except ValueError as error:
            raise self._error(node, path, str(error)) from error

    def _error(self, node: yaml.Node, path: KeyPath, what: str, hint: str = "") -> ConfigError:
        mark = node.start_mark
        key = f" {dotted(path)}" if path else ""
        where = f"{self.places.source}:{mark.line + 1}:{mark.column + 1}{key}"
        return ConfigError(what, where=where, hint=hint)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _tag(node: yaml.Node) -> str:
    return str(node.tag).replace("tag:yaml.org,2002:", "!!")


def _plain_values(value: Any, path: KeyPath) -> Any:
    """A copy of what a program passes in: mappings, sequences, paths and numpy's numbers."""
    if isinstance(value, Mapping):
        for key in value:
            if isinstance(key, bool) or not isinstance(key, (str, int)):
                raise ConfigError(f"the key {key!r} is not text or an integer", where=dotted(path))
        return {key: _plain_values(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_values(item, (*path, i)) for i, item in enumerate(value)]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    raise ConfigError(
        f"a {type(value).__name__} is not an option",
        where=dotted(path),
        hint="options are text, numbers, booleans, None, lists and dicts",
    )
