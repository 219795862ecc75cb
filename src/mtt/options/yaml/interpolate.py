"""``${path.to.key}``: the value of another key of the same file.

A path counts from the root of the file (``${base_precision}``), or, with leading dots, from the
mapping that holds the key (``${.key}``), from the one around it (``${..read_from}``), and so on
(OmegaConf's rule). A path that the root does not hold is looked up in the mappings around the
key, from the inside out, so that ``${systems.read_from}`` works inside a data set.

In the names of data files, ``${HOME}`` stays where no key is called so: a variable of the
environment, which is replaced when the files are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mtt.errors import did_you_mean
from mtt.options.yaml.dialect import MAX_DEPTH
from mtt.options.yaml.places import Fault, KeyPath, as_index

_REFERENCE = re.compile(r"(?<!\\)\$\{([^{}]*)\}")
_OPEN = re.compile(r"(?<!\\)\$\{")
_RESOLVER = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*:(?!:)")
_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_VARIABLE = re.compile(r"[A-Za-z_]\w*")  # of the environment
_GRADIENTS = ("forces", "stress", "virial")
_SETS = ("training_set", "validation_set", "test_set")
_MISSING = object()

MAX_SIZE = 1_000_000
"""Most values and characters that all references of a file may expand to."""


def escape(value: Any) -> Any:
    """``value`` written so that :class:`Interpolator` reads it back unchanged."""
    if isinstance(value, dict):
        return {key: escape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escape(item) for item in value]
    return value.replace("${", "\\${") if isinstance(value, str) else value


def _names_files(path: KeyPath) -> bool:
    """Whether the value at ``path`` names data files, which may hold variables."""
    keys = [key for key in path if isinstance(key, str)]
    if not keys or keys[0] == "architecture":
        return not keys
    short = keys[-1] in _SETS or keys[-2:-1] == ["targets"] or keys[-2:-1] == ["extra_data"]
    return short or keys[-1] in ("read_from", "systems", *_GRADIENTS)


class Interpolator:
    """Replaces references in values of the file ``root``.

    :param root: the whole file, references and all.
    :param defaults: values of keys that the file leaves out or sets to null.
    """

    def __init__(self, root: Any, defaults: Mapping[str, Any] | None = None) -> None:
        self.root = root
        self.defaults = defaults or {}
        self.faults: list[Fault] = []
        self._size = 0  # of what references have brought so far

    def __call__(self, value: Any, path: KeyPath) -> Any:
        """Resolve a copy of ``value``, found at ``path``; mistakes go to ``faults``."""
        return self._resolve(value, path, ())

    def _resolve(self, value: Any, path: KeyPath, chain: tuple[str, ...], depth: int = 0) -> Any:
        """``value`` with its references; ``chain`` are those that led here, ``depth`` levels."""
        if chain:
            self._size += len(value) if isinstance(value, str) else 1
        if self._size > MAX_SIZE or depth > 2 * MAX_DEPTH:
            self._refuse(path)
            return None
        if isinstance(value, dict):
            return {k: self._resolve(v, (*path, k), chain, depth + 1) for k, v in value.items()}
        if isinstance(value, list):
            items = enumerate(value)
            return [self._resolve(v, (*path, i), chain, depth + 1) for i, v in items]
        if isinstance(value, str) and "${" in value:
            return self._text(value, path, chain, depth)
        return value

    def _refuse(self, path: KeyPath) -> None:
        what = "interpolations expand to too much: they refer to each other many times over"
        if not any(fault.what == what for fault in self.faults):
            self.faults.append(Fault(path, what))

    def _text(self, text: str, path: KeyPath, chain: tuple[str, ...], depth: int) -> Any:
        whole = _REFERENCE.fullmatch(text)
        if whole:
            return self._reference(whole.group(1), text, path, chain, depth)
        names = _REFERENCE.findall(text)
        found = [self._reference(name, text, path, chain, depth) for name in names]
        if any(isinstance(value, (dict, list)) for value in found):
            self.faults.append(Fault(path, f"a mapping or list cannot be inserted into {text!r}"))
            return text
        values = iter(found)
        result = _REFERENCE.sub(lambda _: str(next(values)), text)
        if _OPEN.search(_REFERENCE.sub("", text)):
            self.faults.append(
                Fault(path, f"the interpolation in {text!r} is not closed, or nested")
            )
        return result.replace("\\${", "${")

    def _reference(
        self, name: str, text: str, path: KeyPath, chain: tuple[str, ...], depth: int
    ) -> Any:
        if _RESOLVER.match(name):
            what = f"the resolver in {text!r} is not available; only other keys can be named"
            self.faults.append(Fault(path, what))
            return text
        if name in chain:
            circle = " -> ".join((*chain, name))
            self.faults.append(Fault(path, f"the interpolation goes round in a circle: {circle}"))
            return text
        value, owner = self._find(name, path)
        if value is _MISSING and _VARIABLE.fullmatch(name) and _names_files(path):
            return text if _REFERENCE.fullmatch(text) else f"${{{name}}}"
        if value is _MISSING:
            hint = "a path counts from the root of the file, '${.key}' from the mapping around"
            first = name.strip(".").split(".")[0]
            if isinstance(self.root, dict) and not name.startswith("."):
                hint = did_you_mean(first, self.root) if first not in self.root else hint
            self.faults.append(Fault(path, f"{text!r} names a key that is not given", hint))
            return text
        return self._resolve(value, owner, (*chain, name), depth + 1)

    def _find(self, name: str, path: KeyPath) -> tuple[Any, KeyPath]:
        """The value called ``name``, and its path."""
        keys = [key or index for key, index in _PART.findall(name)]
        dots = len(name) - len(name.lstrip("."))
        if dots:
            start = path[: max(len(path) - dots, 0)]
            return self._walk(start, keys), (*start, *keys)
        for length in (0, *range(len(path) - 1, 0, -1)):
            value = self._walk(path[:length], keys)
            if value is not _MISSING and value is not None:
                return value, (*path[:length], *keys)
        return self.defaults.get(name, self._walk((), keys)), tuple(keys)

    def _walk(self, start: KeyPath, keys: list[Any]) -> Any:
        node = self.root
        for key in (*start, *keys):
            if isinstance(node, dict):
                node = node.get(key, node.get(as_index(key), _MISSING))
            elif isinstance(node, list) and (i := as_index(key)) is not None and i < len(node):
                node = node[i]
            elif isinstance(node, str) and key in ("systems", "read_from"):
                continue  # the short form: a string means the file to read
            else:
                return _MISSING
        return node
