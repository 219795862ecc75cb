"""HTML that is put together from texts of users: everything is escaped unless it is ``Html``."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MINUS = "\N{MINUS SIGN}"

_BELOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_LARGE = 1e7  # larger numbers have an exponent
_VOID = ("br", "hr", "img", "meta", "link")


class Html(str):
    """Text that is HTML already."""


def element(tag: str, /, *children: str | None, **attributes: str | bool | None) -> Html:
    """``<name attributes>children</name>``; texts are escaped, None and False left out.

    :param attributes: ``class_`` is ``class``, and underscores inside a name are hyphens.
    """
    words = [tag]
    for key, value in attributes.items():
        written = key.rstrip("_").replace("_", "-")
        if value is True:
            words.append(written)
        elif value is not None and value is not False:
            words.append(f'{written}="{html.escape(value, quote=True)}"')
    start = f"<{' '.join(words)}>"
    if tag in _VOID:
        return Html(start)
    return Html(f"{start}{joined(children)}</{tag}>")


def joined(children: Iterable[str | None]) -> Html:
    """Children one after the other; texts are escaped, None is left out."""
    return Html("".join(_escaped(one) for one in children if one is not None))


def run_name(name: str) -> Html:
    """The name of a run as the heading of a column: each part of its path in a line."""
    *folders, last = name.split("/")
    return joined(element("span", part) for part in [*(f"{one}/" for one in folders), last])


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "", class_: str = ""
) -> Html:
    """A table whose first column names the rows; it scrolls sideways where it is too wide."""
    head = element("tr", *(element("th", name, scope="col") for name in columns))
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(element("td", cell) for cell in row[1:]),
        )
        for row in rows
    ]
    whole = element(
        "table",
        element("caption", caption) if caption else None,
        element("thead", head),
        element("tbody", *body),
        class_=class_ or None,
    )
    return element("div", whole, class_="wide", tabindex="0", role="region",
                   aria_label=caption or "table")  # fmt: skip


def pairs(values: Mapping[str, str | None]) -> Html:
    """A list of names and values; those that are None are left out."""
    found = [
        joined([element("dt", name), element("dd", value)])
        for name, value in values.items()
        if value is not None
    ]
    return element("dl", *found)


def embedded(values: Any) -> Html:
    """JSON for inside of a ``<script>``: no text in it can end the script or begin a comment.

    :raises ValueError: a number is not finite.
    """
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Html(text)


def number(value: float | None, digits: int = 4) -> str:
    """Four significant digits, whole numbers up to ten millions; a dash for what is missing or not
    finite."""
    if value is None or not math.isfinite(value):
        return "–"
    whole = 1000 <= abs(value) < _LARGE
    text = f"{value:,.0f}" if whole else f"{value:.{digits}g}"
    return text.replace("-", MINUS, 1) if text.startswith("-") else text


def count(value: int) -> str:
    """``38,400``."""
    return f"{value:,}"


def plural(n: int, one: str) -> str:
    """``1 epoch``, ``2 epochs``."""
    return f"{count(n)} {one}" if n == 1 else f"{count(n)} {one}s"


def sentence(text: str) -> str:
    """With a capital at its beginning, unless it begins with a name: of a file, of an option."""
    word = text.split(" ", 1)[0]
    return text[:1].upper() + text[1:] if word.isalpha() else text


def chemical(formula: str) -> str:
    """``C2H6O`` with its numbers below the line."""
    return formula.translate(_BELOW)


def duration(seconds: float) -> str:
    """``2 min 5 s``."""
    whole = round(seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    shown = [f"{n} {unit}" for n, unit in parts if n]
    return " ".join(shown[:2])


def size(n_bytes: int) -> str:
    """``1.6 MB``."""
    value, unit = float(n_bytes), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.3g} {unit}"


def _escaped(text: str) -> str:
    return text if isinstance(text, Html) else html.escape(text, quote=True)
