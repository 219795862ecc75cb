"""Build the terms of the loss from the ``loss`` option."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from mtt.data.info import POSITIONS, STRAIN, DatasetInfo, TargetInfo
from mtt.data.labels.units import to_ev_per_angstrom
from mtt.errors import ConfigError, Problem, did_you_mean
from mtt.options.loss_forms import by_own_name, forces_only
from mtt.options.loss_parameters import for_spectra, is_spectrum
from mtt.options.training.loss import LossOptions, LossSection
from mtt.training.losses.kind import SpectrumLoss, load_loss
from mtt.training.losses.loss import Loss, Term
from mtt.training.losses.weight_schedule import WeightSchedule
from mtt.training.options.defaults import SECTION

if TYPE_CHECKING:
    from mtt.data import Dataset

PARTS = {POSITIONS: "forces", STRAIN: "strain"}


def make_loss(
    options: LossSection,
    info: DatasetInfo,
    scales: Mapping[str, float],
    *datasets: Dataset,
    by_strain: Mapping[str, float] | None = None,
) -> Loss:
    """The loss over all targets of ``info``, with the weights of epoch 0.

    :param options: ``loss``, one name for everything or by target, and ``per_structure_targets``.
    :param scales: scale of each target.
    :param datasets: where labels may be missing.
    :param by_strain: scale of derivatives by strain, of targets where it is not that of the target.
    :raises ConfigError: unknown targets, derivatives or losses; targets without a term;
        ``huber_forces`` without units.
    """
    given = options.loss
    if isinstance(given, str):
        given = {name: uniform_loss(given, target) for name, target in info.targets.items()}
    sections = list(_sections(given))
    problems = [*_name_problems(given, info), *_problems(sections)]
    problems = problems or _unit_problems(sections, info) or _spectrum_problems(sections, info)
    problems = problems or _zero_problems(sections)
    per_structure = options.per_structure_targets
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
    terms, own = [], {"strain": by_strain or {}}
    for name, part, section in sections:
        field = ("values", "forces", "strain").index(part)
        term = _term(name, part, section, info)
        terms.append(
            replace(
                term,
                scale=own.get(part, scales).get(name, scales[name]),
                per_atom=term.per_atom and name not in per_structure,
                complete=all(dataset.is_complete(name)[field] for dataset in datasets),
            )
        )
    return Loss(terms)


def _term(name: str, part: str, section: LossOptions, info: DatasetInfo) -> Term:
    """The term as far as options and targets say."""
    target = info.targets[name]
    schedule = WeightSchedule.of(section.weight)
    return Term(
        target=name,
        part=part,
        type=_kind(section),
        weight=schedule.at(0),
        per_atom=(part == "strain" and target.is_energy)
        or (part == "values" and _is_shared_out(section, target)),
        of_atoms=part == "forces" or (part == "values" and target.per_atom),
        of_pairs=part == "values" and target.per_pair,
        to_ev_per_angstrom=to_ev_per_angstrom(target.unit, info.length_unit) or 1.0,
        schedule=None if schedule.is_constant else schedule,
        reduction=section.reduction,
        delta=section.delta,
        parameters=_parameters(section),
    )


def _parameters(section: LossOptions) -> tuple[tuple[str, float], ...]:
    """Those of a loss of spectra, with its defaults."""
    kind = load_loss(_kind(section))
    known = kind.parameters if isinstance(kind, SpectrumLoss) else {}
    return tuple({**known, **section.parameters}.items())


def _is_shared_out(section: LossOptions, target: TargetInfo) -> bool:
    """Whether values are divided by the number of atoms: energies, and spectra that are sums."""
    spectrum = isinstance(load_loss(_kind(section)), SpectrumLoss)
    return target.is_energy or (spectrum and target.pooling == "sum")


def _spectrum_problems(
    sections: list[tuple[str, str, LossOptions]], info: DatasetInfo
) -> list[Problem]:
    """Find losses of spectra that are given for something else."""
    problems = []
    for name, part, section in sections:
        target, kind = info.targets[name], _kind(section)
        components = part != "values" or bool(target.of_kind.components)
        if not is_spectrum(kind, components, target.properties):
            problems.append(Problem(for_spectra(kind)[0], _where(name, part)))
    return problems


def _kind(section: LossOptions) -> str:
    return by_own_name(section.type)


def uniform_loss(kind: str, target: TargetInfo) -> LossOptions:
    """The loss ``kind`` for the values and all gradients of ``target``."""
    return LossOptions(kind, gradients={name: LossOptions(kind) for name in target.gradients})


def _sections(given: Mapping[str, LossOptions]) -> Iterator[tuple[str, str, LossOptions]]:
    """Target, part and options of every term."""
    for name, section in given.items():
        yield name, "values", section
        for gradient, options in section.gradients.items():
            yield name, PARTS.get(gradient, gradient), options


def _name_problems(given: Mapping[str, LossOptions], info: DatasetInfo) -> list[Problem]:
    """Targets and derivatives that only one side knows."""
    problems = []
    known = {name: set(target.gradients) for name, target in info.targets.items()}
    asked = {name: set(section.gradients) for name, section in given.items()}
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


def _problems(sections: list[tuple[str, str, LossOptions]]) -> list[Problem]:
    """Values that make no loss."""
    problems = []
    for name, part, section in sections:
        where = _where(name, part)
        kind = _kind(section)
        try:
            loss = load_loss(kind)
        except ConfigError as error:
            problems += [one._replace(where=where) for one in error.problems]
        else:
            if loss.only_forces and part in ("values", "strain"):
                what, hint = forces_only(kind)
                problems.append(Problem(what, where, hint))
    return problems


def _unit_problems(
    sections: list[tuple[str, str, LossOptions]], info: DatasetInfo
) -> list[Problem]:
    """Find forces whose unit cannot be converted to eV/Å."""
    problems = []
    for name, part, section in sections:
        unit, kind = info.targets[name].unit, _kind(section)
        sized = load_loss(kind).delta_factors is not None
        if sized and to_ev_per_angstrom(unit, info.length_unit) is None:
            what = f"{kind} needs the forces in eV/Å, but a unit of the data is missing"
            given = f"the unit of {name} is {unit!r}, the length_unit {info.length_unit!r}"
            problems.append(Problem(what, _where(name, part), given))
    return problems


def _zero_problems(sections: list[tuple[str, str, LossOptions]]) -> list[Problem]:
    """Epochs in which nothing would be learnt."""
    schedules = [WeightSchedule.of(section.weight) for _, _, section in sections]
    for epoch in sorted({epoch for schedule in schedules for epoch in schedule.epochs}):
        if not any(schedule.at(epoch) for schedule in schedules):
            when = f" from epoch {epoch} on" if epoch else ""
            what = f"all weights are 0{when}, nothing would be learnt"
            return [Problem(what, f"{SECTION}.loss")]
    return []


def _where(name: str, part: str) -> str:
    return f"{SECTION}.loss.{name}" + ("" if part == "values" else f".{part}")


def free_to_shift(losses: Iterable[Loss]) -> set[str]:
    """Targets whose labels a loss moves along their grid: their residuals are not a baseline's."""
    terms = (term for loss in losses for term in loss.terms)
    return {term.target for term in terms if isinstance(term.kind, SpectrumLoss)}
