"""Check that a model can learn the targets of a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from ase.data import chemical_symbols

from mtt.baselines.given import WHERE
from mtt.data.info import DatasetInfo, TargetInfo
from mtt.errors import ArchitectureError, ConfigError, DataError, MttError, Problem
from mtt.registry import discover

_TUNE = "fine-tune it to these data: architecture.training.finetune.read_from"


def target_kind(target: TargetInfo) -> str:
    """Name of this kind of target in ``__supported_targets__``."""
    if target.is_energy:
        return "energy"
    return target.of_kind.supported_name(target.per_atom, target.per_pair)


def check_targets(
    architecture: str, supported: Sequence[str], single: bool, info: DatasetInfo
) -> None:
    """Refuse, before any training, what the architecture cannot predict.

    :param single: the architecture predicts one target only.
    :raises ArchitectureError: one problem for each target that is not supported.
    """
    unknown = [problem for item in info.targets.items() for problem in _kind_problems(*item)]
    if unknown:
        raise ArchitectureError.collect(unknown)
    problems = [
        Problem(
            f"{architecture} cannot predict target {name!r} ({target_kind(target)})",
            hint=_kinds_hint(target, supported),
        )
        for name, target in info.targets.items()
        if target_kind(target) not in supported
    ]
    problems += [
        Problem(f"derivatives of {name!r} cannot be trained: it is of each atom", where=name)
        for name, target in info.targets.items()
        if target.gradients and target.per_atom
    ]
    problems += [
        Problem(
            f"{name}: values of the kind {target.of_kind.name} cannot be added up over atoms",
            hint="give them per atom: sample_kind: atom",
        )
        for name, target in info.targets.items()
        if target.per_structure and not target.of_kind.additive
    ]
    problems += [
        Problem(
            f"{name}: components that depend on the element are of atoms",
            hint="write sample_kind: atom",
        )
        for name, target in info.targets.items()
        if target.of_kind.elements and target.per_structure
    ]
    if single and len(info.targets) > 1:
        names = ", ".join(info.targets)
        hint = (
            "write predict(graph), which returns the values of every target by its name, in place "
            "of atomic_energies(graph)"
        )
        problems.append(Problem(f"{architecture} predicts one energy, not {names}", hint=hint))
    if problems:
        raise ArchitectureError.collect(problems)


def _kind_problems(name: str, target: TargetInfo) -> list[Problem]:
    """Report a kind that is not found, for instance because its package is not installed here."""
    try:
        _ = target.of_kind
    except DataError as error:
        more = "or install the package that adds it"
        return [one._replace(where=name, hint=f"{one.hint}; {more}") for one in error.problems]
    return []


def check_parts(
    info: DatasetInfo, largest: int, where: str, *, pseudoscalars: bool = False
) -> None:
    """Refuse vectors and tensors that densities of degrees up to ``largest`` cannot hold.

    :param where: the option that sets ``largest``.
    :param pseudoscalars: the architecture predicts (l = 0, σ = -1).
    :raises ArchitectureError: one problem for each part of a target.
    """
    problems: list[Problem] = []
    for name, target in info.targets.items():
        kind = target.of_kind
        if not kind.irreducible:
            what = f"{name} is a tensor whose irreducible parts are not known ({kind.text})"
            hint = "this architecture predicts vectors, 3×3 tensors and spherical tensors"
            problems.append(Problem(what, hint=hint))
        for one in dict.fromkeys(kind.irreducible):
            if (one.l, one.sigma) == (0, -1) and not pseudoscalars:
                what = f"{name} has a pseudoscalar (l = 0, σ = -1), which needs triple products"
                problems.append(Problem(what, hint="leave it out of irreps"))
            elif max(one.l, int(one.sigma == -1)) > largest:
                what = f"{name} has components of degree l = {one.l}, densities up to {largest}"
                problems.append(Problem(what, where, f"write {where}: {max(one.l, 1)}"))
    if problems:
        raise ArchitectureError.collect(problems)


def check_shape(name: str, found: Sequence[int], wanted: Sequence[int], of: str = "atom") -> None:
    """Whether the network's numbers of a sample are components by properties, as the data's are.

    :raises ArchitectureError: they are not.
    """
    if list(found) != list(wanted):
        raise ArchitectureError(
            f"predict returns {list(found)} numbers of {name!r} for each {of}, not {list(wanted)}",
            hint="the last axis counts properties (num_subtargets), those before it components",
        )


def _kinds_hint(target: TargetInfo, supported: Sequence[str]) -> str:
    kinds = f"it can predict: {', '.join(supported)}"
    if target_kind(target) not in ("energy", "scalar", "scalar per atom"):
        others = _able(target_kind(target))
        return f"{kinds}; architectures that can predict it: {', '.join(others) or 'none here'}"
    if target_kind(target) != "scalar" or "energy" not in supported:
        return kinds
    return f"{kinds}; if this is an energy of the structure, write quantity: energy"


def _able(kind: str) -> list[str]:
    """The architectures that name ``kind`` among what they can predict."""
    able = []
    for name, found in discover().items():
        with suppress(MttError):  # one that cannot be loaded here is not one to recommend
            if kind in getattr(found.load().model, "__supported_targets__", ()):
                able.append(name)
    return able


def check_restart(known: DatasetInfo, wanted: DatasetInfo) -> None:
    """Whether a trained model can be trained further with other data.

    :raises ArchitectureError: elements, targets or units that the model does not know.
    """
    problems = restart_problems(known, wanted)
    if problems:
        raise ArchitectureError.collect(problems)


def restart_problems(known: DatasetInfo, wanted: DatasetInfo) -> list[Problem]:
    """Elements, targets and units of ``wanted`` that a model of ``known`` does not know."""
    problems = []
    elements = sorted(set(wanted.atomic_types) - set(known.atomic_types))
    if elements:
        problems.append(
            Problem(
                f"the model does not know {symbols(elements)}",
                hint=f"it was made for {symbols(known.atomic_types)}; {_TUNE}",
            )
        )
    problems += [
        Problem(f"the model has no target {name!r}", hint=f"it has: {_names(known)}; {_TUNE}")
        for name in wanted.targets
        if name not in known.targets
    ]
    return problems + unit_problems(known, wanted)


def unit_problems(known: DatasetInfo, wanted: DatasetInfo) -> list[Problem]:
    """Find units in which data and model differ for the same name."""
    problems = []
    if wanted.length_unit and known.length_unit and wanted.length_unit != known.length_unit:
        problems.append(
            Problem(f"lengths are in {wanted.length_unit}, the model's in {known.length_unit}")
        )
    for name, target in wanted.targets.items():
        if name in known.targets:
            problems += target_problems(name, target, known.targets[name])
    return problems


def target_problems(name: str, target: TargetInfo, own: TargetInfo) -> list[Problem]:
    """Find differences between ``target`` of the data and the model's ``own``."""
    quantity = target.quantity or own.quantity  # what is left open is what the model has
    return [
        Problem(f"{name}: {key} is {new!r} in the data and {old!r} in the model")
        for key, new, old in (
            ("unit", target.unit, own.unit),
            ("quantity", quantity, own.quantity),
            ("extensive", target.extensive or own.extensive, own.extensive),
            ("aggregation", target.pooling if target.aggregation else own.pooling, own.pooling),
            ("sample_kind", target.sample_kind, own.sample_kind),
            ("exchange", target.exchange or own.exchange, own.exchange),
            ("type", target.kind, own.kind),
            ("num_subtargets", target.properties, own.properties),
        )
        if new != old
    ]


def as_known(known: TargetInfo, wanted: TargetInfo) -> TargetInfo:
    """``wanted`` of the data with what a model of ``known`` already takes it for.

    Data whose options name no quantity leave open what the numbers are; a trained model knows.
    """
    return replace(
        wanted,
        quantity=wanted.quantity or known.quantity,
        extensive=known.extensive,
        aggregation=known.aggregation,
        rank=known.rank,
        exchange=known.exchange,
    )


def symbols(atomic_types: Sequence[int]) -> str:
    """The elements in words, for a message."""
    return ", ".join(chemical_symbols[z] for z in atomic_types)


def _names(info: DatasetInfo) -> str:
    return ", ".join(info.targets)


def check_invariant(name: str, target: TargetInfo, given: object = None) -> None:
    """Whether numbers of elements, parts of a baseline by composition, can be given for the target.

    :param given: what the options give; one number is right for every invariant target.
    :raises ConfigError: all of its components turn with the structure, or it is the largest value
        of its atoms, or a mean with learned weights.
    """
    if target.pooling in ("max", "learned") and isinstance(given, Mapping):
        what = f"the numbers of elements do not add up in {name}, whose aggregation is "
        hint = "give one number for all elements, or leave it out"
        raise ConfigError(f"{what}{target.pooling}", where=f"{WHERE}.{name}", hint=hint)
    if target.per_pair:
        what = f"{name} is of pairs of atoms: no number of an element can be part of it"
        raise ConfigError(what, where=f"{WHERE}.{name}", hint="leave it out")
    if not target.invariant_columns:
        raise ConfigError(
            f"{name} is a {target.of_kind.name}, which turns with the structure: no number of an "
            "element can be part of it",
            where=f"{WHERE}.{name}",
            hint="leave it out",
        )
