"""What a scan found in the data, and what the training warned of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from mtt.report.markup import Html, element, joined, sentence
from mtt.report.run_data import RunData

_CLASSES = {"wrong": "bad", "suspicious": "warn", "note": "plain", "fine": "good"}
_MOST = 20  # warnings


def findings(run: RunData) -> Html | None:
    """The section; None where nothing was scanned and nothing warned of."""
    facts = run.kept.facts.get("scan") if run.kept is not None else None
    scan = [*_scan(facts)] if isinstance(facts, Mapping) else []
    warnings = [*_warnings(run.warnings)]
    if warnings and scan:
        warnings = [element("h3", "Warnings of the training"), *warnings]
    return joined([*scan, *warnings]) if scan or warnings else None


def title(run: RunData) -> str:
    """What the section is called: a run that did not finish has warnings alone."""
    scanned = run.kept is not None and isinstance(run.kept.facts.get("scan"), Mapping)
    return "Scan of the data" if scanned else "Warnings of the training"


def _scan(facts: Mapping[str, Any]) -> Iterator[Html]:
    if facts.get("problem"):
        text = f"{facts['problem']}. "
        yield element("p", text, element("code", "mtt check options.yaml"), " scans them.",
                      class_="muted")  # fmt: skip
        return
    found: Sequence[Mapping[str, Any]] = facts.get("found") or []
    shown = [one for one in found if one["severity"] != "fine"]
    fine = [one for one in found if one["severity"] == "fine"]
    text = "Structures and labels of all parts were searched for hidden faults, without the model"
    text += "." if shown else ": none was found."
    yield element("p", text, class_="muted")
    if shown:
        yield element("ul", *map(_item, shown), class_="findings")
    if fine:
        text = f"{len(fine)} without findings"
        whole = element("ul", *map(_item, fine), class_="findings")
        yield element("details", element("summary", text), whole)


def _item(one: Mapping[str, Any]) -> Html:
    severity = str(one["severity"])
    badge = element("span", severity, class_=f"badge {_CLASSES.get(severity, 'plain')}")
    advice = str(one.get("advice") or "")
    places = "; ".join(_places(one))
    return element(
        "li",
        badge,
        " ",
        element("b", str(one["check"])),
        f": {one['what']}",
        element("div", places, class_="muted") if places else None,
        element("div", sentence(advice), class_="muted") if advice else None,
    )


def _places(one: Mapping[str, Any]) -> Iterator[str]:
    for place in one.get("where") or []:
        frames = ", ".join(map(str, place["frames"]))
        more = f" and {place['more']} more" if place["more"] else ""
        words = f", frames {frames}{more}" if frames else ""
        yield f"{place['part']}: {PurePath(place['file']).name}{words}"
    if one.get("elsewhere"):
        yield f"{one['elsewhere']} other places"


def _warnings(texts: Sequence[str]) -> Iterator[Html]:
    if not texts:
        return
    yield element(
        "ul",
        *(element("li", sentence(text)) for text in texts[:_MOST]),
        class_="findings",
    )
    if len(texts) > _MOST:
        yield element("p", f"{len(texts) - _MOST} others are in train.log.", class_="muted")
