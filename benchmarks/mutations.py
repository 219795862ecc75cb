"""Files made wrong at random: for `fuzz.py`, and for the tests that run a part of it.

A mutation takes a generator of random numbers and the content of a sound file; equal numbers
give equal files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

SENTINEL = "the-file-ran-code"
"""Name of the file that every payload would make in the working folder."""

_NUMBERS = (
    *("0", "-1", "1e999", "-1e999", "nan", "inf", ".nan", "-.inf", "1e-400", "0x" + "f" * 40),
    *("9" * 25, "9" * 5000, "1000000000000", "-0", "1_0", "٣", "½", "1:30", "010", "1.0D-01"),
    *("2147483648", "9223372036854775808", "true", "~", "''", "[]", "{}", "0x" + "f" * 5000),
)
_WORDS = (
    *("null", "NaN", "\x00", "\ufeff", "\u2028", "../../etc/passwd", "${", "}", "[", "]", "{"),
    *(":", "#", "'", '"', "\\", "%", "é", "🧪", "[/red]", "[bold]", "=", "<<", "---", "\t"),
    *("Properties", "Lattice", "pbc", "species:S:2", "pos:R:0", "pos:R:2", "Z:I:1", "species:R:1"),
    *("pos:R:999999999999", "forces:L:3", "VEC1 0 0 0", "$tensor", "$dict", "$size", "-"),
)
_YAML = (
    f"!!python/object/apply:os.system [touch {SENTINEL}]",
    f"!!python/object/apply:subprocess.check_output [[touch, {SENTINEL}]]",
    "!!python/name:os.system",
    "!!set {a, b}",
    "!!binary R0lGODlh",
    "!!int abc",
    "!nothing x",
    "&a [*a]",
    "&a {b: *a}",
    "*nowhere",
    "{<<: {a: 1}}",
    "{<<: 3}",
    "2026-01-01",
    "? [a, b]",
    "|\n  text",
    "${seed}",
    "${.seed}",
    "${architecture}",
    "${training_set.systems}",
    "${oc.env:HOME}",
    "a ${seed} ${training_set}",
    "[" * 500,
    "[" * 3000 + "]" * 3000,
    "{a: " * 200 + "1" + "}" * 200,
    "&a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]",
)
_JSON: tuple[Any, ...] = (
    *(None, True, -1, 0, 0.5, 2**63, 10**30, 1e300, "", "x", "../x", "\ud800", "[/red]", [], {}),
    *(
        [0],
        [10**9] * 3,
        [0, 2**70],
        [1] * 100,
        {"$tensor": 1},
        {"$dict": [[[], 1]]},
        {"$bytes": "%"},
    ),
)

Mutation = Callable[[Random, bytes], bytes]


def _span(rng: Random, size: int) -> tuple[int, int]:
    start = rng.randrange(size + 1)
    return start, min(size, start + rng.choice((1, 4, 40, 400)))


def _flip(rng: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 30))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(rng: Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _insert(rng: Random, data: bytes) -> bytes:
    start, _ = _span(rng, len(data))
    many = rng.choice((rng.randbytes(8), b"\x00" * 64, b"\xff\xfe", b"\xed\xa0\x80", b"("))
    return data[:start] + many + data[start:]


def _remove(rng: Random, data: bytes) -> bytes:
    start, end = _span(rng, len(data))
    return data[:start] + data[end:]


def _double(rng: Random, data: bytes) -> bytes:
    start, end = _span(rng, len(data))
    return data[:end] + data[start:end] * rng.choice((1, 1, 50)) + data[end:]


def _overwrite(rng: Random, data: bytes) -> bytes:
    start, end = _span(rng, len(data))
    fill = rng.choice((b"\x00", b"\xff", b"\x7f", b" ", b"\n"))
    return data[:start] + fill * (end - start) + data[end:]


BYTES: tuple[Mutation, ...] = (_flip, _cut, _insert, _remove, _double, _overwrite)


def mutate_bytes(rng: Random, data: bytes) -> bytes:
    """One to three changes to any bytes."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = rng.choice(BYTES)(rng, data)
    return data


def _number(rng: Random, text: str) -> str:
    found = list(re.finditer(r"(?<![\w.])-?\d[\d.eE+-]*", text))
    return _replaced(text, rng.choice(found), rng.choice(_NUMBERS)) if found else text


def _word(rng: Random, text: str) -> str:
    found = list(re.finditer(r"[A-Za-z_]+", text))
    if not found:
        return text
    new = rng.choice((rng.choice(_WORDS), rng.choice(found)[0], rng.choice(_NUMBERS)))
    return _replaced(text, rng.choice(found), new)


def _value(rng: Random, text: str) -> str:
    """A value of YAML, behind a colon or a dash, by one that YAML has and options have not."""
    found = list(re.finditer(r"(?<=[:-] )\S.*$|(?<=:)$", text, re.MULTILINE))
    return _replaced(text, rng.choice(found), f" {rng.choice(_YAML)}") if found else text


def _special(rng: Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice((*_WORDS, *_NUMBERS, *_YAML)) + text[at:]


def _lines(rng: Random, text: str) -> str:
    """Lines swapped, doubled, taken out or moved to another indentation."""
    lines = text.splitlines(keepends=True) or [""]
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    first, last = min(i, j), max(i, j) + 1
    kind = rng.randrange(5)
    if kind == 0:
        lines[i], lines[j] = lines[j], lines[i]
    elif kind == 1:
        lines[j:j] = lines[first:last]
    elif kind == 2:
        del lines[first:last]
    elif kind == 3:
        lines[i] = " " * rng.randrange(1, 6) + lines[i].lstrip(" ")
    else:
        lines[i] = re.sub(r"^(\s*)(\w+):", rf"\1\2{rng.choice('sx_')}:", lines[i])
    return "".join(lines)


def _replaced(text: str, found: re.Match[str], new: str) -> str:
    return text[: found.start()] + new + text[found.end() :]


def mutate_text(rng: Random, data: bytes) -> bytes:
    """One to three changes to a text: its words, numbers, lines, or its encoding."""
    text = data.decode()
    for _ in range(rng.choice((1, 1, 2, 3))):
        text = rng.choice((_number, _word, _value, _special, _lines))(rng, text)
    kind = rng.randrange(16)
    if kind == 0:
        return text.encode("utf-16")
    if kind == 1:
        return b"\xef\xbb\xbf" + text.encode()
    if kind == 2:
        return text.replace("\n", rng.choice(("\r\n", "\r", "\u2028"))).encode()
    changed = text.encode()
    return mutate_bytes(rng, changed) if kind < 6 else changed


def mutate_json(rng: Random, data: bytes) -> bytes:
    """One to three values of a JSON text replaced by others, or by each other."""
    root = [json.loads(data)]
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = list(_places(root))
        holder, key = rng.choice(places)
        other = rng.choice(places)
        new = rng.choice((rng.choice(_JSON), other[0][other[1]]))
        holder[key] = json.loads(json.dumps(new))
    text = json.dumps(root[0])
    return text.encode() if rng.randrange(5) else mutate_text(rng, text.encode())


def _places(value: Any) -> Any:
    """Every ``(container, key)`` of a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield value, key
        if isinstance(item, dict | list):
            yield from _places(item)
