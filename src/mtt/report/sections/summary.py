"""The top of a report: what was trained, how good it is, and how to use it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from mtt.evaluation.quantities import is_extended
from mtt.report.markup import (
    Html,
    count,
    duration,
    element,
    joined,
    number,
    pairs,
    plural,
    sentence,
    size,
    table,
)
from mtt.report.run_data import RunData
from mtt.report.sections.origin import origin

_STATES = {
    "finished": "good",
    "running": "warn",
    "stopped": "warn",
    "trained, not exported": "warn",
    "no checkpoint": "bad",
}
_NAMED = re.compile(r"^(.*) (RMSE|MAE)(?: \((.*)\))?$")
_DATED = re.compile(r"\d{4}-\d\d-\d\d ")
_END = re.compile(r"\d{4}-\d\d-\d\d \S+ DEBUG \w+: ")
_INTERRUPTED = re.compile(r"(stopped by .*?)(?:; resume with: .*)?$")
_LAST_LINES = 12  # of the log of a run that did not finish


def summary(run: RunData) -> Html:
    """The summary of one run."""
    state = element("span", run.state, class_=f"badge {_STATES.get(run.state, 'warn')}")
    return joined(
        [
            element("p", state, " ", *_sentence(run)),
            *notices(run),
            *_why_it_ended(run),
            *_resume(run),
            _tiles(run),
            errors_table(run),
            *origin(run),
            _use(run),
            _end_of_log(run),
        ]
    )


def _why_it_ended(run: RunData) -> Iterator[Html]:
    """The error or signal that ended a run before its end."""
    if run.state in ("finished", "running") or not run.log:
        return
    ends = [i for i, line in enumerate(run.log) if _END.match(line)]
    later = run.log[ends[-1] + 1 :] if ends else run.log
    if not ends or any(_DATED.match(line) for line in later):
        text = "The log breaks off: the process was killed, or the machine went down."
        yield element("p", text, class_="notice bad")
        return
    first = _END.sub("", run.log[ends[-1]])
    interrupted = _INTERRUPTED.match(first)
    if interrupted:  # the command that resumes it is shown anyway
        first, later = interrupted[1], []
    text = "\n".join([first, *later])
    yield element("p", sentence(text), class_="notice lines" + ("" if interrupted else " bad"))


def _resume(run: RunData) -> Iterator[Html]:
    """How a run that did not finish is resumed."""
    command = run.facts.get("resume_with")
    if command and run.state != "running":
        yield element("p", "Resume it with:")
        yield element("pre", str(command), tabindex="0")


def notices(run: RunData) -> Iterator[Html]:
    """What is missing, and why."""
    for text in run.missing:
        yield element("p", text, class_="notice")


def errors_table(run: RunData) -> Html | None:
    """Errors of the best weights: one row for each quantity, RMSE and MAE of each part."""
    parts = run.final_errors
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for part, errors in parts.items():
        for name, value in errors.items():
            found = _NAMED.match(name)
            if found:
                quantity, kind, unit = found.groups()
                rows.setdefault((quantity, unit or ""), {})[f"{part} {kind}"] = value
    if not rows:
        return None
    columns = [f"{part} {kind}" for part in parts for kind in ("RMSE", "MAE")]
    columns = [name for name in columns if any(name in row for row in rows.values())]
    cells = [
        [quantity, *(number(row.get(name)) for name in columns), unit or "unit not given"]
        for (quantity, unit), row in rows.items()
    ]
    best = run.facts.get("best_epoch")
    what = "Errors of the best weights" + (f", of epoch {best}" if best is not None else "")
    return table(["", *columns, "unit"], cells, what)


def exported_model(run: RunData) -> Path | None:
    """The exported file: where ``-o`` put it, or in the run folder."""
    named = run.command.get("output"), run.command.get("folder")
    if all(isinstance(one, str) for one in named):
        there = Path(str(named[1]), str(named[0])).with_suffix(".pt")
        own = run.folder / "model.pt"
        if there.is_file() and own.is_file() and there.stat().st_size == own.stat().st_size:
            return there
    own = run.folder / "model.pt"
    return own if own.is_file() else None


def _sentence(run: RunData) -> Iterator[str | Html]:
    facts = run.facts
    name = facts.get("architecture") or (run.options or {}).get("architecture", {}).get("name")
    if name:
        yield element("b", str(name))
    epoch, whole = facts.get("epoch"), facts.get("num_epochs")
    if epoch is not None:
        yield f", {epoch} of {whole} epochs" if whole else f", {plural(epoch, 'epoch')}"
    if run.seconds is not None:
        yield f" in {duration(run.seconds)}"
    if facts.get("begun"):
        yield f", begun {facts['begun']}"
    problem = str(facts.get("problem") or "")
    if "read" in problem:  # the state says it where there is no checkpoint
        yield f": {problem}"
    yield "."


def _tiles(run: RunData) -> Html | None:
    """The numbers that a reader looks for first."""
    parts = run.final_errors
    if not parts:
        return None
    part = next(name for name in ("test", "validation", *parts) if name in parts)
    tiles = []
    for name, value in parts[part].items():
        found = _NAMED.match(name)
        if not found or found[2] != "RMSE":
            continue
        if not found[1].endswith("total") and not is_extended(f"{found[1]} RMSE"):
            unit = element("small", f" {found[3] or ''}")
            shown = element("b", number(value, 3), unit)
            tiles.append(
                element(
                    "div", shown, element("span", f"{found[1]} RMSE, {part} set"), class_="tile"
                )
            )
    parameters = run.kept.facts.get("parameters") if run.kept is not None else None
    if isinstance(parameters, Mapping):
        whole = element("b", count(sum(parameters.values())))
        tiles.append(element("div", whole, element("span", "parameters"), class_="tile"))
    return element("div", *tiles[:6], class_="tiles")


def _use(run: RunData) -> Html | None:
    model = exported_model(run)
    if model is None:
        return None
    path = str(model)
    facts = pairs({"exported model": element("code", path), "size": size(model.stat().st_size)})
    energies = run.info is None or any(one.is_energy for one in run.info.targets.values())
    ways = _of_energies(path) if energies else _of_others(path)
    return joined([element("h3", "Use the model"), facts, *ways])


def _of_energies(path: str) -> Iterator[Html]:
    ase = (
        "from metatomic_ase import MetatomicCalculator\n\n"
        f"atoms.calc = MetatomicCalculator({path!r})\n"
        "atoms.get_potential_energy(), atoms.get_forces()"
    )
    lammps = f"pair_style metatomic {path}\npair_coeff * * <atomic number of each LAMMPS type>"
    yield element("p", "In ASE:")
    yield element("pre", ase, tabindex="0")
    yield element("details", element("summary", "In LAMMPS"), element("pre", lammps))


def _of_others(path: str) -> Iterator[Html]:
    """A model without energies drives no engine: it predicts the structures of a file."""
    options = "systems:\n  read_from: structures.xyz\n  length_unit: angstrom"
    yield element("p", "Predict the structures of a file, with these lines in ",
                  element("code", "eval.yaml"), ":")  # fmt: skip
    yield element("pre", options, tabindex="0")
    command = f"mtt eval {shlex.quote(path)} eval.yaml -o predictions.xyz"
    yield element("pre", command, tabindex="0")


def _end_of_log(run: RunData) -> Html | None:
    """The last lines of the log of a run that did not finish."""
    if run.state == "finished" or not run.log:
        return None
    # the description of the model has many lines that no reader looks for here
    dated = [line for line in run.log if _DATED.match(line)]
    lines = "\n".join((dated or run.log)[-_LAST_LINES:])
    text = element("pre", lines, tabindex="0", class_="lines")
    return joined([element("h3", "The last lines of train.log"), text])
