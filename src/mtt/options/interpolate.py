"""``${path.to.key}``: the value of another key of the same file.

A path counts from the root of the file (``${base_precision}``), or, with leading dots, from the
mapping that holds the key (``${.key}``), from the one around it (``${..read_from}``), and so on
(OmegaConf's rule). A path that the root does not hold is looked up in the mappings around the
key, from the inside out, so that ``${systems.read_from}`` works inside a data set.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from mtt.errors import did_you_mean
from mtt.options.places import Fault, KeyPath

_REFERENCE = re.compile(r"(?<!\\)\$\{([^{}]*)\}")
_OPEN = re.compile(r"(?<!\\)\$\{")
_RESOLVER = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*:(?!:)")
_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_MISSING = object()


def escape(value: Any) -> Any:
    """``value`` written so that :class:`Interpolator` reads it back unchanged."""
    if isinstance(value, dict):
        return {key: escape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escape(item) for item in value]
    return value.replace("${", "\\${") if isinstance(value, str) else value


class Interpolator:
    """Replaces references in values of the file ``root``.

    :param root: the whole file, references and all.
    :param defaults: values of keys that the file leaves out or sets to null.
    """

    def __init__(self, root: Any, defaults: Mapping[str, Any] | None = None) -> None:
        self.root = root
        self.defaults = defaults or {}
        self.faults: list[Fault] = []

    def __call__(self, value: Any, path: KeyPath) -> Any:
        """A copy of ``value``, which stands at ``path``; mistakes go to ``faults``."""
        return self._resolve(value, path, ())

    def _resolve(self, value: Any, path: KeyPath, chain: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {k: self._resolve(v, (*path, k), chain) for k, v in value.items()}
        if isinstance(value, list):
            return [self._resolve(v, (*path, i), chain) for i, v in enumerate(value)]
        if isinstance(value, str) and "${" in value:
            return self._text(value, path, chain)
        return value

    def _text(self, text: str, path: KeyPath, chain: tuple[str, ...]) -> Any:
        whole = _REFERENCE.fullmatch(text)
        if whole:
            return self._reference(whole.group(1), text, path, chain)
        found = [self._reference(r, text, path, chain) for r in _REFERENCE.findall(text)]
        if any(isinstance(value, (dict, list)) for value in found):
            self.faults.append(Fault(path, f"a mapping or list cannot stand inside {text!r}"))
            return text
        values = iter(found)
        result = _REFERENCE.sub(lambda _: str(next(values)), text)
        if _OPEN.search(_REFERENCE.sub("", text)):
            self.faults.append(
                Fault(path, f"the interpolation in {text!r} is not closed, or nested")
            )
        return result.replace("\\${", "${")

    def _reference(self, name: str, text: str, path: KeyPath, chain: tuple[str, ...]) -> Any:
        if _RESOLVER.match(name):
            what = f"the resolver in {text!r} is not available; only other keys can be named"
            self.faults.append(Fault(path, what))
            return text
        if name in chain:
            circle = " -> ".join((*chain, name))
            self.faults.append(Fault(path, f"the interpolation goes round in a circle: {circle}"))
            return text
        value, owner = self._find(name, path)
        if value is _MISSING:
            hint = "a path counts from the root of the file, '${.key}' from the mapping around"
            first = name.strip(".").split(".")[0]
            if isinstance(self.root, dict) and not name.startswith("."):
                hint = did_you_mean(first, self.root) if first not in self.root else hint
            self.faults.append(Fault(path, f"{text!r} names a key that is not given", hint))
            return text
        return self._resolve(copy.deepcopy(value), owner, (*chain, name))

    def _find(self, name: str, path: KeyPath) -> tuple[Any, KeyPath]:
        """The value called ``name``, and its path."""
        keys = [key if key else int(index) for key, index in _PART.findall(name)]
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
                node = node.get(key, node.get(int(key), _MISSING) if _digits(key) else _MISSING)
            elif isinstance(node, list) and _digits(key) and int(key) < len(node):
                node = node[int(key)]
            elif isinstance(node, str) and key in ("systems", "read_from"):
                continue  # the short form: a string stands for what is read
            else:
                return _MISSING
        return node


def _digits(key: Any) -> bool:
    return isinstance(key, int) or str(key).isdecimal()
