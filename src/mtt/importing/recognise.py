"""What a file is that cannot be imported, told from its names and its first bytes."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

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
_EXPORTED = "extra/model-metadata"


def refusal(
    path: Path, names: Collection[str], content: Any, readers: Sequence[str]
) -> CheckpointError:
    """The error for a file that no reader takes.

    :param names: classes that it names.
    :param content: what it holds, where that was read.
    :param readers: architectures that read files of other programs.
    """
    what, hint = _what(path, names, content)
    can = f"mtt imports models of {', '.join(readers)}" if readers else ""
    return CheckpointError(what, where=str(path), hint=hint or can)


def _what(path: Path, names: Collection[str], content: Any) -> tuple[str, str]:
    members = kinds.names_in(path)
    if kinds.is_archive(members):
        return "is a light archive of mtt", "use it as it is: mtt export, finetune.read_from"
    if kinds.is_exported(members):
        return _exported(members)
    program = next((PROGRAMS[one] for one in _packages(names) if one in PROGRAMS), "")
    if program:
        return _of_program(program, names, content)
    if names:
        return _unknown_objects(names)
    if isinstance(content, Mapping) and MODEL_VERSION in content:
        return (
            f"is a checkpoint of mtt already, of the architecture {content.get(ARCHITECTURE)!r}",
            "use it as it is: mtt export, finetune.read_from",
        )
    if _is_torch_package(members):
        return "is a torch.package, a program with its weights", ""
    if members and not any(name.endswith("data.pkl") for name in members):
        return f"is a zip archive of {len(members)} files, but not a model", ""
    return "is a torch file, but not a model that mtt can import", ""


def _exported(members: Sequence[str]) -> tuple[str, str]:
    if any(name.endswith(_EXPORTED) for name in members):
        return (
            "is an exported model, a program for simulation engines: it has no weights that "
            "could be trained",
            "import the checkpoint that it was exported from (.ckpt); the exported file itself "
            "serves `mtt eval`, ASE and LAMMPS as it is",
        )
    return (
        "is a TorchScript program (as nequip-compile and mace_create_lammps_model write them), "
        "which would have to be run to be read",
        "give the checkpoint that it was made from",
    )


def _of_program(program: str, names: Collection[str], content: Any) -> tuple[str, str]:
    what = f"is a file of {program}"
    if isinstance(content, Mapping) and isinstance(content.get(ARCHITECTURE), str):
        return f"{what}, a model of its {content[ARCHITECTURE]!r}, which mtt cannot import", ""
    strange = sorted(one for one in names if one.partition(".")[0] not in (*PROGRAMS, "torch"))
    more = f" and holds Python objects ({_listed(strange)})" if strange else ""
    return f"{what}{more}, which mtt cannot import", ""


def _unknown_objects(names: Collection[str]) -> tuple[str, str]:
    return (
        f"holds Python objects ({_listed(sorted(names))}), which are not loaded, since loading "
        "them can run any program",
        "",
    )


def _packages(names: Collection[str]) -> list[str]:
    return sorted({name.partition(".")[0] for name in names})


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _is_torch_package(members: Sequence[str]) -> bool:
    return any(name.endswith("/.data/extern_modules") for name in members)


def is_zip(path: Path) -> bool:
    """Whether the file is a zip archive."""
    return zipfile.is_zipfile(path)
