"""From the ``loss`` option to the terms of the loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mtt.data.info import POSITIONS, STRAIN, DatasetInfo, TargetInfo
from mtt.errors import ConfigError, Problem, did_you_mean
from mtt.training.hypers import SECTION
from mtt.training.loss import ELEMENTWISE, Loss, Term

if TYPE_CHECKING:
    from mtt.data import Dataset

PARTS = {POSITIONS: "forces", STRAIN: "strain"}
_KEYS = {"type", "weight", "reduction", "delta"}


def make_loss(
    hypers: Mapping[str, Any],
    info: DatasetInfo,
    scales: Mapping[str, float],
    *datasets: Dataset,
) -> Loss:
    """The loss over all targets of ``info``.

    :param hypers: training options, ``loss`` one name for everything or in the full form
        ``{target: {type, weight, reduction, delta, gradients: {positions: {...}}}}``.
    :param scales: scale of each target.
    :param datasets: where labels may be missing.
    :raises ConfigError: unknown targets, derivatives or losses; targets without a term.
    """
    given = hypers["loss"]
    if isinstance(given, str):
        given = {name: _uniform(given, target) for name, target in info.targets.items()}
    sections = list(_sections(given))
    problems = [*_name_problems(given, info), *_problems(sections)]
    per_structure = hypers["per_structure_targets"]
    problems += [
        Problem(
            f"no target is called {name!r}",
            where=f"{SECTION}.per_structure_targets",
            hint=did_you_mean(name, info.targets),
        )
        for name in per_structure
        if name not in info.targets
    ]
    if problems:
        raise ConfigError.collect(problems)
    terms = []
    for name, part, section in sections:
        target = info.targets[name]
        extensive = (target.is_energy or part == "strain") and part != "forces"
        field = ("values", "forces", "strain").index(part)
        terms.append(
            Term(
                target=name,
                part=part,
                scale=scales[name],
                per_atom=extensive and name not in per_structure,
                complete=all(dataset.is_complete(name)[field] for dataset in datasets),
                **{key: section[key] for key in _KEYS & set(section)},
            )
        )
    return Loss(terms)


def _uniform(kind: str, target: TargetInfo) -> dict[str, Any]:
    return {
        "type": kind,
        "gradients": {name: {"type": kind} for name in target.gradients},
    }


def _sections(given: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Target, part and options of every term."""
    for name, section in given.items():
        yield name, "values", section
        for gradient, options in section.get("gradients", {}).items():
            yield name, PARTS.get(gradient, gradient), options


def _name_problems(given: Mapping[str, Any], info: DatasetInfo) -> list[Problem]:
    """Targets and derivatives that only one side knows."""
    problems = []
    known = {name: set(target.gradients) for name, target in info.targets.items()}
    asked = {name: set(section.get("gradients", {})) for name, section in given.items()}
    for name in [*known, *(set(asked) - set(known))]:
        where = f"{SECTION}.loss.{name}"
        if name not in known:
            hint = did_you_mean(name, known) or f"targets: {', '.join(known)}"
            problems.append(Problem("the data have no such target", where, hint))
        elif name not in asked:
            problems.append(Problem("the target has no loss", where, "weight: 0 leaves it out"))
        else:
            problems += [
                Problem(f"the data have no {gradient} gradient of this target", where)
                for gradient in sorted(asked[name] - known[name])
            ]
            problems += [
                Problem(
                    f"the {gradient} gradient has no loss",
                    where,
                    "weight: 0 leaves it out",
                )
                for gradient in sorted(known[name] - asked[name])
            ]
    return problems


def _problems(sections: list[tuple[str, str, Mapping[str, Any]]]) -> list[Problem]:
    """Values that make no loss."""
    problems = []
    for name, part, section in sections:
        where = f"{SECTION}.loss.{name}" + ("" if part == "values" else f".{part}")
        kind = section.get("type", "mse")
        if kind not in ELEMENTWISE:
            hint = did_you_mean(kind, ELEMENTWISE) or f"available: {', '.join(ELEMENTWISE)}"
            problems.append(Problem(f"loss {kind!r} is not available", where, hint))
        if section.get("reduction", "mean") not in ("mean", "sum"):
            what = f"unknown reduction {section['reduction']!r}"
            problems.append(Problem(what, where, "mean or sum"))
        unknown = sorted(set(section) - _KEYS - {"gradients"})
        problems += [
            Problem(f"unknown option {key!r}", where, did_you_mean(key, _KEYS)) for key in unknown
        ]
        if not section.get("weight", 1.0) >= 0 or not section.get("delta", 1.0) > 0:
            problems.append(Problem("weight must be at least 0 and delta above 0", where))
    if sections and not any(section.get("weight", 1.0) for _, _, section in sections):
        problems.append(Problem("all weights are 0, nothing would be learnt", f"{SECTION}.loss"))
    return problems
