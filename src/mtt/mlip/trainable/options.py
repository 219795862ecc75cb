"""The options of ``architecture.training.finetune``: their meaning and their mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtt.errors import Problem, did_you_mean

SECTION = "architecture.training.finetune"

_CONFIGS: dict[str, dict[str, Any]] = {
    "full": {},
    "heads": {"head_modules": [], "last_layer_modules": []},
    "lora": {"rank": 4, "alpha": 8, "target_modules": None},
    "freeze": {"freeze": []},
}
"""Method to the keys of its ``config``, with defaults."""

BASELINES = ("auto", "keep", "refit")
"""What may become of the composition baseline where the labels have another reference."""


def asked(finetune: Mapping[str, Any]) -> dict[str, Any]:
    """How the model is made from its source, as plain values for its provenance."""
    return {
        "method": finetune.get("method", "full"),
        "config": dict(finetune.get("config") or {}),
        "inherit_heads": dict(finetune.get("inherit_heads") or {}),
        # runs from before this option kept what the source has, and are restarted as they are
        "baseline": finetune.get("baseline", "auto"),
    }


def with_defaults(finetune: Mapping[str, Any]) -> dict[str, Any]:
    """``finetune.config`` with what it leaves out."""
    return {**_CONFIGS[finetune["method"]], **(finetune.get("config") or {})}


def finetune_problems(finetune: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong with the options themselves, before any model is known."""
    method = finetune["method"]
    if method not in _CONFIGS:
        hint = did_you_mean(method, _CONFIGS) or f"one of {', '.join(_CONFIGS)}"
        return [Problem(f"unknown method {method!r}", f"{SECTION}.method", hint)]
    baseline = finetune.get("baseline", "auto")
    if baseline not in BASELINES:
        hint = did_you_mean(str(baseline), BASELINES) or f"one of {', '.join(BASELINES)}"
        return [Problem(f"{baseline!r} is unknown", f"{SECTION}.baseline", hint)]
    given = finetune.get("config") or {}
    asked = method != "full" or given or finetune.get("inherit_heads") or baseline != "auto"
    if asked and not finetune.get("read_from"):
        what = "there is nothing to fine-tune"
        return [Problem(what, f"{SECTION}.read_from", "give the checkpoint to start from")]
    problems = []
    for key, value in given.items():
        where = f"{SECTION}.config.{key}"
        if key not in _CONFIGS[method]:
            known = ", ".join(_CONFIGS[method]) or "none"
            hint = did_you_mean(key, _CONFIGS[method]) or f"options of {method}: {known}"
            problems.append(Problem(f"unknown option of method {method}", where, hint))
        elif key == "rank":
            whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
            problems += [] if whole else [Problem(f"{value!r} is no whole number above 0", where)]
        elif key == "alpha":
            number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
            problems += [] if number else [Problem(f"{value!r} is no number above 0", where)]
        elif not (value is None and key == "target_modules") and not _are_texts(value):
            problems.append(Problem(f"{value!r} is no list of names", where))
    if method == "freeze" and not given.get("freeze"):
        hint = "names of parameters or modules, with * for any text"
        problems.append(Problem("nothing is named", f"{SECTION}.config.freeze", hint))
    return problems


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
