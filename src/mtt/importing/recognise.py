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


class Kind(NamedTuple):
    """What a file is, as the end of a sentence, and what to do about it."""

    what: str
    hint: str = ""


def refusal(path: Path, kind: Kind, readers: Sequence[str]) -> CheckpointError:
    """The error for a file that no reader takes.

    :param readers: architectures that read files of other programs.
    """
    can = f"mtt imports models for its {', '.join(readers)}" if readers else ""
    return CheckpointError(kind.what, where=str(path), hint=kind.hint or can)


def not_pickled(members: Sequence[str]) -> Kind | None:
    """What a zip archive is whose values are not in a pickle of torch; None for one where they are.

    :param members: names in it; none where its table of contents is lost.
    """
    if kinds.is_archive(members):
        return Kind("is a light archive of mtt, not a model of another program", _AS_IT_IS)
    if any(name.endswith("/extra/model-metadata") for name in members):
        more = "the exported file itself serves `mtt eval`, ASE and LAMMPS as it is"
        what = "is an exported model, a program for engines, which has no weights to be trained"
        return Kind(what, f"{_CHECKPOINT}; {more}")
    if any("aotinductor" in name for name in members):
        return Kind("is a program compiled for one machine (AOTInductor)", _CHECKPOINT)
    if kinds.is_exported(members):
        return Kind("is a TorchScript program, which would have to be run", _CHECKPOINT)
    if any(name.endswith("/.data/extern_modules") for name in members):
        return Kind("is a torch.package, which holds the program of its model", _CHECKPOINT)
    if members and not any(name.endswith("/data.pkl") for name in members):
        some = f"{len(members)} files" if len(members) > 1 else repr(members[0])
        return Kind(f"is a zip archive of {some}, not a model")
    return None


def pickled(names: Collection[str], content: Any) -> Kind:
    """What a torch file is.

    :param names: the classes of its objects.
    :param content: its values, where they were read.
    """
    values = content if isinstance(content, Mapping) else {}
    name = values.get(ARCHITECTURE)
    programs = [PROGRAMS[top] for top in _packages(names) if top in PROGRAMS]
    if programs:
        if isinstance(name, str):
            return Kind(f"is a checkpoint of {programs[0]}, of its model {name!r}")
        strange = [one for one in sorted(names) if one.partition(".")[0] not in PROGRAMS]
        more = f"; it holds {_listed(strange)} too" if strange else ""
        return Kind(f"is a file of {programs[0]}, whose objects are not loaded{more}")
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


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
