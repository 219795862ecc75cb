"""The models that the package ships: which files they are, and how these are read.

A file is a pickle. Its checksum is compared first; then torch's safe loader reads it, which knows
tensors, plain types and, of numpy, numbers and arrays of them. Nothing in it is executed.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np
import torch

from mtt.errors import ArchitectureError, CheckpointError, did_you_mean
from mtt.experimental.sevennet.package import INSTALL, NAME, SERIES, package


@dataclass(frozen=True)
class Published:
    """A model in the package.

    :param file: below the package's ``pretrained_potentials``.
    :param sha256: of the file.
    :param modalities: labels of the data that it was trained on, its default first; none: one kind.
    """

    file: str
    sha256: str
    modalities: Tuple[str, ...] = ()


PUBLISHED: Dict[str, Published] = {
    "7net-0": Published(
        "SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth",
        "7052cb42b7b3be42b40b97fa0d21077a48c54b5548948fc4dcf346629f813c36",
    ),
    "7net-0_22may2024": Published(
        "SevenNet_0__22May2024/checkpoint_sevennet_0.pth",
        "5d389fafd512e6ae2830d74d0b66ffc49a55d3832653ff8e7bf7f1343013c1d1",
    ),
    "7net-l3i5": Published(
        "SevenNet_l3i5/checkpoint_l3i5.pth",
        "a7ff190d41efe5b8317a03d20a468e4036a1a3e64e0b14fdbab64ac3f4bfc09d",
    ),
    "7net-mf-0": Published(
        "SevenNet_MF_0/checkpoint_sevennet_mf_0.pth",
        "81791329b37d445f46b531578c182c41792d98c7814222c9e5dde276402225fd",
        ("PBE", "R2SCAN"),
    ),
}

# by the names that files were written with, before numpy 2 and since
_NUMPY: List[Any] = [
    np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
    (np._core.multiarray._reconstruct, "numpy.core.multiarray._reconstruct"),  # type: ignore[attr-defined]
    np._core.multiarray.scalar,  # type: ignore[attr-defined]
    (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),  # type: ignore[attr-defined]
    np.ndarray,
    np.dtype,
    type(np.dtype(np.float32)),
    type(np.dtype(np.float64)),
]


def find(name: str) -> Published:
    """:raises ArchitectureError: there is none of this name."""
    if name not in PUBLISHED:
        what = f"there is no pretrained model {name!r}"
        known = f"there are {', '.join(PUBLISHED)}, the path of a checkpoint (.pth), and null"
        hint = did_you_mean(name, PUBLISHED) or known
        raise ArchitectureError(what, where="pretrained", hint=hint)
    return PUBLISHED[name]


def content_of(name: str) -> Dict[str, Any]:
    """``config`` and ``model_state_dict`` of the model ``name``, each time a new copy.

    :raises CheckpointError: the file is missing, or not the one that was published.
    :raises MissingPackageError: see :func:`package`.
    """
    one = find(name)
    path = Path(str(package("_const").__file__)).parent / "pretrained_potentials" / one.file
    hint = f"install it again: {INSTALL} --force-reinstall --no-deps"
    try:
        stored = path.read_bytes()
    except OSError as error:
        what = f"the weights of {name} cannot be read: {error.strerror}"
        raise CheckpointError(what, where=str(path), hint=hint) from error
    found = hashlib.sha256(stored).hexdigest()
    if found != one.sha256:
        what = (
            f"is not the file of {name} that {NAME} {SERIES} ships: its sha256 is {found[:16]}…, "
            f"not {one.sha256[:16]}…; nothing of it was loaded"
        )
        raise CheckpointError(what, where=str(path), hint=hint)
    return safely_read(stored, str(path))


def _hint(where: str) -> str:
    return f"`mtt show {where}` says what it is"


def safely_read(stored: bytes, where: str) -> Dict[str, Any]:
    """A checkpoint of the package, in tensors, plain types and arrays of numbers.

    :raises CheckpointError: it holds anything else, or is damaged.
    """
    try:
        with torch.serialization.safe_globals(_NUMPY):
            content = torch.load(io.BytesIO(stored), weights_only=True, map_location="cpu")
    except (UnpicklingError, RuntimeError, EOFError) as error:
        what = f"cannot be read without running programs in it ({str(error).partition('.')[0]})"
        raise CheckpointError(what, where=where, hint=_hint(where)) from error
    keys = ("config", "model_state_dict")
    if not isinstance(content, Mapping) or not all(key in content for key in keys):
        raise CheckpointError(f"is not a checkpoint of {NAME}", where=where, hint=_hint(where))
    return {key: content[key] for key in keys}
