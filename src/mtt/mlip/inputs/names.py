"""Which inputs a model takes, and what engines are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metatomic.torch import ModelOutput

from mtt.data.batching.inputs import is_number
from mtt.data.info import DatasetInfo, TargetInfo
from mtt.errors import ArchitectureError, Problem, did_you_mean
from mtt.mlip.states import STATES

OPTION = "inputs"
"""Option of the model that lists them; see ``schema-hypers.json`` of this room."""

WHERE = f"architecture.model.{OPTION}"
ANY, ANY_OF_ATOMS = "number", "number per atom"
"""In ``__supported_inputs__``: numbers that the user names, of structures and of atoms."""

_METATRAIN = "mtt::"  # engines give numbers without it, and must find one input of each name
_PREFIX = {False: "ase::info::", True: "ase::arrays::"}


def checked_inputs(
    owner: str, supported: Sequence[str], listed: Sequence[str], info: DatasetInfo
) -> dict[str, bool]:
    """Input to whether it is of atoms, of all that the options list.

    :param owner: class of the model, for messages.
    :param supported: ``__supported_inputs__`` of the class.
    :raises ArchitectureError: one problem for each input that the class does not take, and for
        each number that ``extra_data`` do not have.
    """
    problems: list[Problem] = []
    found: dict[str, bool] = {}
    for name in listed:
        extra = info.extra_data.get(name)
        problem = _problem(owner, supported, name, extra, info.extra_data)
        if problem is not None:
            problems.append(problem)
        else:
            found[name] = extra is not None and extra.per_atom
    if problems:
        raise ArchitectureError.collect(problems)
    return found


def _problem(
    owner: str,
    supported: Sequence[str],
    name: str,
    extra: TargetInfo | None,
    known: Mapping[str, TargetInfo],
) -> Problem | None:
    """Why ``name`` is not an input; None where it is."""
    if not supported:
        hint = "leave it out, or choose an architecture that takes inputs, see the page on inputs"
        return Problem(f"{owner} takes structures alone, not {name}", WHERE, hint)
    if name in STATES:
        if name not in supported:
            return Problem(f"{owner} does not take {name}", WHERE, _takes(supported))
        if extra is not None and (extra.per_atom or not is_number(extra)):
            hint = f"give one number for each structure: extra_data.{name}.sample_kind: system"
            return Problem(f"{name} is not one number for each structure", WHERE, hint)
        return None
    if name.startswith(_METATRAIN):
        hint = f"write {name.removeprefix(_METATRAIN)} in inputs and in extra_data"
        return Problem(f"the name of an input does not begin with mtt::, as {name}", WHERE, hint)
    if extra is None:
        hint = did_you_mean(name, [*known, *STATES])
        hint = hint or f"write extra_data: {{{name}: {{key: ...}}}} in every data set"
        return Problem(f"extra_data has no {name}, which is listed as an input", WHERE, hint)
    if not is_number(extra):
        what = f"{name} has the shape {list(extra.shape)} in extra_data: an input is one number"
        return Problem(what, WHERE, "give each component as an item of extra_data by itself")
    if (ANY_OF_ATOMS if extra.per_atom else ANY) not in supported:
        whose = "atom" if extra.per_atom else "structure"
        what = f"{owner} does not take numbers of each {whose} ({name})"
        return Problem(what, WHERE, _takes(supported))
    return None


def _takes(supported: Sequence[str]) -> str:
    return f"it takes: {', '.join(supported)}"


def engine_name(name: str, per_atom: bool) -> str:
    """The name under which engines are asked for an input.

    Charge and spin have names of metatomic; ASE gives ``atoms.info[name]`` and
    ``atoms.arrays[name]`` for those that begin with ``ase::``.
    """
    return name if name in STATES else _PREFIX[per_atom] + name


def own_name(asked: str) -> str:
    """Name of the input that an engine is asked for as ``asked``."""
    for prefix in _PREFIX.values():
        if asked.startswith(prefix):
            return asked.removeprefix(prefix)
    return asked


def requested(inputs: Mapping[str, bool]) -> dict[str, ModelOutput]:
    """The inputs as metatomic's engines are asked for them.

    :param inputs: name to whether it is of atoms.
    """
    return {
        engine_name(name, per_atom): ModelOutput(
            unit="e" if name == "charge" else "", sample_kind="atom" if per_atom else "system"
        )
        for name, per_atom in inputs.items()
    }
