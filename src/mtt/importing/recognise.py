"""What a file is that cannot be imported, seen from its members and the classes that it names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mtt.checkpoint import kinds
from mtt.checkpoint.format import ARCHITECTURE, MODEL_VERSION
from mtt.errors import CheckpointError

PROGRAMS = {
    "mace": "MACE",
    "nequip": "NequIP",
    "allegro": "Allegro",
    "sevenn": "SevenNet",
    "metatrain": "metatrain",
    "matgl": "MatGL",
    "chgnet": "CHGNet",
    "orb_models": "orb-models",
    "fairchem": "fairchem",
    "mattersim": "MatterSim",
    "schnetpack": "SchNetPack",
    "deepmd": "DeePMD-kit",
    "aimnet": "AIMNet",
    "torchani": "TorchANI",
}
"""Packages, as the classes in pickled files name them, and what people call the programs."""

_LISTED = 5
_AS_IT_IS = "use it as it is: mtt export, mtt eval, finetune.read_from"
_CHECKPOINT = "import the checkpoint that it was made from (.ckpt)"

PAGE = "Import a model of another program"
"""The page of the manual with what can be imported, and what to do instead."""


class Unrecognised(CheckpointError):
    """No program is known that writes such files."""


class Kind(NamedTuple):
    """What a file is, as the end of a sentence, and what to do about it.

    :param foreign: whether it is a model of another program.
    """

    what: str
    hint: str = ""
    foreign: bool = False


def refusal(path: Path, kind: Kind, readers: Sequence[str]) -> CheckpointError:
    """The error for a file that no reader takes.

    :param readers: architectures that read files of other programs.
    """
    can = f"mtt imports models of the architecture {_quoted(readers)}" if readers else ""
    hints = [kind.hint or can, f"see {PAGE!r} in the manual" if kind.foreign else ""]
    error = CheckpointError if kind.foreign or kind.hint else Unrecognised
    return error(kind.what, where=str(path), hint="; ".join(hint for hint in hints if hint))


def not_pickled(members: Sequence[str]) -> Kind | None:
    """What a zip archive is whose values are not in a pickle of torch; None for one where they are.

    :param members: names in it; none where its table of contents is lost.
    """
    if kinds.is_archive(members):
        return Kind("is a light archive of mtt, not a model of another program", _AS_IT_IS)
    if _is_atomistic(members):
        more = "the exported file itself serves `mtt eval`, ASE and LAMMPS as it is"
        what = "is an exported model, a program for engines, which has no weights to be trained"
        return Kind(what, f"{_CHECKPOINT}; {more}")
    if (program := program_in(members)) is not None:
        return program
    if members and not any(name.endswith("/data.pkl") for name in members):
        some = f"{len(members)} files" if len(members) > 1 else repr(members[0])
        return Kind(f"is a zip archive of {some}, not a model")
    return None


def program_in(members: Sequence[str]) -> Kind | None:
    """What a zip archive is that holds a program, but not an exported model; None for others.

    :param members: names in it.
    """
    if _is_atomistic(members):
        return None
    parts = {part for name in members for part in name.split("/")[1:-1]}  # first: the archive
    whose = "".join(f" of {PROGRAMS[one]}" for one in PROGRAMS if one in parts)
    hint = "" if whose else _CHECKPOINT
    if any("aotinductor" in name for name in members):
        what = f"is a program{whose} compiled for one machine (AOTInductor)"
        return Kind(what, hint, foreign=True)
    if kinds.is_exported(members):
        what = f"is a TorchScript program{whose}, which would have to be run"
        return Kind(what, hint, foreign=True)
    if any(name.endswith("/.data/extern_modules") for name in members):
        what = f"is a torch.package{whose}, which holds the program of its model"
        return Kind(what, hint, foreign=True)
    return None


def _is_atomistic(members: Sequence[str]) -> bool:
    return any(name.endswith("/extra/model-metadata") for name in members)


def pickled(names: Collection[str], content: Any, writer: str | None = None) -> Kind:
    """What a torch file is.

    :param names: the classes of its objects.
    :param content: its values, where they were read.
    :param writer: the program that wrote it, as far as texts in it show that.
    """
    values = content if isinstance(content, Mapping) else {}
    name = values.get(ARCHITECTURE)
    programs = [PROGRAMS[top] for top in _packages(names) if top in PROGRAMS]
    if programs:
        if isinstance(name, str):
            return Kind(f"is a checkpoint of {programs[0]}, of its model {name!r}", foreign=True)
        strange = [one for one in sorted(names) if one.partition(".")[0] not in PROGRAMS]
        more = f"; it holds {_listed(strange)} too" if strange else ""
        what = f"is a file of {programs[0]}, whose objects are not loaded{more}"
        return Kind(what, foreign=True)
    if writer is not None:
        return Kind(f"is a checkpoint of {writer}", foreign=True)
    if names:
        return Kind(
            f"holds Python objects ({_listed(sorted(names))}), which are not loaded, since "
            "loading them can run any program"
        )
    if MODEL_VERSION in values:
        whose = f", of the architecture {name!r}" if isinstance(name, str) else ""
        return Kind(f"is a checkpoint of mtt already{whose}", _AS_IT_IS)
    return Kind("is a torch file, but not a model that mtt knows")


def _packages(names: Collection[str]) -> list[str]:
    return sorted({name.partition(".")[0] for name in names})


def _quoted(names: Sequence[str]) -> str:
    return " or ".join(map(repr, names))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
