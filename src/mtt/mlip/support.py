"""What a model can be asked to learn, and whether a data set asks for more."""

from __future__ import annotations

from collections.abc import Sequence

from ase.data import chemical_symbols

from mtt.data.info import DatasetInfo, TargetInfo
from mtt.errors import ArchitectureError, Problem


def target_kind(target: TargetInfo) -> str:
    """How ``__supported_targets__`` names this kind of target."""
    if target.is_energy:
        return "energy"
    return f"{target.kind} per atom" if target.per_atom else target.kind


def check_targets(
    architecture: str, supported: Sequence[str], single: bool, info: DatasetInfo
) -> None:
    """Refuse, before any training, what the architecture cannot predict.

    :param single: the architecture predicts one target only.
    :raises ArchitectureError: one problem for each target that is not supported.
    """
    problems = [
        Problem(
            f"{architecture} cannot predict target {name!r} ({target_kind(target)})",
            hint=f"it can predict: {', '.join(supported)}",
        )
        for name, target in info.targets.items()
        if target_kind(target) not in supported
    ]
    problems += [
        Problem(f"derivatives of {name!r} are learnt only where it is an energy", where=name)
        for name, target in info.targets.items()
        if target.gradients and not target.is_energy
    ]
    if single and len(info.targets) > 1:
        names = ", ".join(info.targets)
        problems.append(Problem(f"{architecture} predicts one energy, not {names}"))
    if problems:
        raise ArchitectureError.collect(problems)


def check_restart(known: DatasetInfo, wanted: DatasetInfo) -> None:
    """Whether a trained model can go on with other data.

    :raises ArchitectureError: elements, targets or units that the model does not know.
    """
    problems = []
    elements = sorted(set(wanted.atomic_types) - set(known.atomic_types))
    if elements:
        problems.append(
            Problem(
                f"the model does not know {_symbols(elements)}",
                hint=f"it was made for {_symbols(known.atomic_types)}; train a new model",
            )
        )
    if wanted.length_unit and known.length_unit and wanted.length_unit != known.length_unit:
        problems.append(
            Problem(f"lengths are in {wanted.length_unit}, the model's in {known.length_unit}")
        )
    for name, target in wanted.targets.items():
        problems += _target_problems(name, target, known)
    if problems:
        raise ArchitectureError.collect(problems)


def _symbols(atomic_types: Sequence[int]) -> str:
    return ", ".join(chemical_symbols[z] for z in atomic_types)


def _target_problems(name: str, target: TargetInfo, known: DatasetInfo) -> list[Problem]:
    if name not in known.targets:
        hint = f"it has: {', '.join(known.targets)}; new targets are not available yet"
        return [Problem(f"the model has no target {name!r}", hint=hint)]
    own = known.targets[name]
    return [
        Problem(f"{name}: {key} is {new!r} in the data and {old!r} in the model")
        for key, new, old in (
            ("unit", target.unit, own.unit),
            ("quantity", target.quantity, own.quantity),
            ("sample_kind", target.sample_kind, own.sample_kind),
            ("num_subtargets", target.properties, own.properties),
        )
        if new != old
    ]
