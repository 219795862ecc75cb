"""What was trained: options, data, model, machine, and the commands that repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from mtt.data.statistics import as_fine_as
from mtt.report.differences import changed, flattened, in_words
from mtt.report.markup import (
    MINUS,
    Html,
    count,
    duration,
    element,
    joined,
    number,
    pairs,
    table,
)
from mtt.report.run_data import RunData


def trained(run: RunData) -> Html:
    """Everything that made the run what it is."""
    return joined(
        [
            *_commands(run),
            *_options(run),
            *_data(run),
            *_model(run),
            *_environment(run),
        ]
    )


def _commands(run: RunData) -> Iterator[Html]:
    repeat = repeating(run.command)
    if repeat:
        yield element("h3", "Repeat")
        yield element("pre", repeat, tabindex="0")
        seed = run.provenance.get("seed")
        if seed is not None:
            yield element("p", f"The seed of everything random was {seed}.", class_="muted")


def repeating(command: Mapping[str, Any]) -> str:
    """The command that began the run, for the folder in which it ran; empty where not known."""
    options = command.get("options")
    if not isinstance(options, str) or not options:
        return ""
    words = ["mtt", "train", options]
    if command.get("output") not in (None, "", "model.pt"):
        words += ["-o", str(command["output"])]
    if command.get("nproc"):
        words += ["--nproc", str(command["nproc"])]
    for override in command.get("overrides") or ():
        words += ["-r", str(override)]
    for folder in command.get("architectures") or ():
        words += ["--architectures", str(folder)]
    folder = command.get("folder")
    start = f"cd {shlex.quote(str(folder))} && " if folder else ""
    return start + shlex.join(words)


def _options(run: RunData) -> Iterator[Html]:
    if run.options is None:
        return
    yield element("h3", "Options")
    if run.defaults is not None:
        found = changed(run.options, run.defaults)
        rows = [[key, *pair] for key, pair in found.items()]
        if rows:
            text = "Options of the architecture that are not its defaults"
            yield table(["option", "value", "default"], rows, text, "texts")
        else:
            yield element("p", "All options of the architecture are its defaults.")
    rows = [[key, in_words(value)] for key, value in flattened(run.options)]
    yield element(
        "details",
        element("summary", f"All {len(rows)} options"),
        table(["option", "value"], rows, "", "texts"),
    )


def _data(run: RunData) -> Iterator[Html]:
    facts = run.kept.facts if run.kept is not None else {}
    statistics = facts.get("statistics") or {}
    digest = run.provenance.get("data")
    if not statistics and not digest:
        return
    yield element("h3", "Data")
    yield from data_tables(statistics)
    if facts.get("files"):
        yield element("p", f"Files: {', '.join(facts['files'][:20])}", class_="muted")
    if digest:
        code = element("code", str(digest))
        yield element(
            "p", "SHA-256 of the structures and labels of training and validation: ", code
        )


def data_tables(statistics: Mapping[str, Any]) -> Iterator[Html]:
    """One table for each part of the data: its structures and labels."""
    for part, one in statistics.items():
        elements = ", ".join(f"{symbol} {count(n)}" for symbol, n in one["elements"].items())
        least, mean, most = one["atoms_per_structure"]
        atoms = f"{least:g}" if least == most else f"{least:g} to {most:g} (mean {number(mean)})"
        head = f"{part}: {count(one['structures'])} structures of {atoms} atoms; {elements}"
        rows = [
            [
                row["name"],
                count(row["labelled"]),
                *(_fine(row[key], row["std"]) for key in ("mean", "std", "min", "max")),
                row["unit"] or "not given",
            ]
            for row in one["rows"]
        ]
        columns = ["", "labels", "mean", "std", "min", "max", "unit"]
        yield table(columns, rows, head)


def _fine(value: float | None, spread: float | None) -> str:
    """With the decimals that the standard deviation has; a dash for what is missing."""
    if value is None or not spread:
        return number(value)
    return as_fine_as(value, spread).replace("-", MINUS)


def _model(run: RunData) -> Iterator[Html]:
    facts = run.kept.facts if run.kept is not None else {}
    parameters = facts.get("parameters")
    if not isinstance(parameters, Mapping):
        return
    yield element("h3", "Model")
    whole = sum(parameters.values())
    rows = [
        [name, count(n), f"{100 * n / whole:.1f} %"]
        for name, n in parameters.items()
        if n and whole
    ]
    yield table(["part", "parameters", "share"], rows, f"{count(whole)} parameters")


def _environment(run: RunData) -> Iterator[Html]:
    known = dict(run.environment)
    packages = known.pop("packages", {})
    found = {name: str(value) for name, value in known.items() if value not in (None, "")}
    for key, name in (("mtt_version", "mtt"), ("torch_version", "torch")):
        if run.provenance.get(key) and name not in packages:
            packages = {name: run.provenance[key], **packages}
    if packages:
        found["packages"] = ", ".join(f"{name} {version}" for name, version in packages.items())
    if run.seconds is not None:
        found["time of all epochs"] = duration(run.seconds)
    if run.energy:
        used = {name: f"{joules / 3600:.3g} Wh" for name, joules in run.energy.items()}
        found["electrical energy"] = ", ".join(f"{name} {text}" for name, text in used.items())
        found["electrical energy"] += " (all that ran on them at the time)"
    if found:
        yield element("h3", "Machine and software")
        yield pairs(found)
