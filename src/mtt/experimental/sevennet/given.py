"""Checkpoints of the package that a user has: ``pretrained`` is their path.

No checksum of such a file is known. It is read as the published ones are, as values; what it says
of the network is checked before the network is built. Checkpoints of mtt keep this description, so
that they are loaded without the file.
"""

import hashlib
import io
import logging
import zipfile
import zlib
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

import numpy as np
import torch

from mtt.errors import ArchitectureError, CheckpointError, Problem, did_you_mean
from mtt.experimental.sevennet.package import NAME, package
from mtt.experimental.sevennet.published import PUBLISHED, safely_read

log = logging.getLogger(__name__)

_SUFFIXES = (".pth", ".pt", ".ckpt", ".zip", ".model")
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError)
_KIND = "E3_equivariant_model"
# keys of a configuration that the network depends on, beside those of the package's defaults
_KEYS = (
    "shift", "scale", "_number_of_species", "_type_map", "use_modality", "_modal_map",
    "_number_of_modalities", "default_modal", "use_modal_wise_shift", "use_modal_wise_scale",
    "train_avg_num_neigh", "avg_num_neigh", "train_shift_scale", "version",
)  # fmt: skip
_ACCELERATED = ("use_flash_tp", "use_oeq")
_LARGEST = {"channel": 4096, "lmax": 8, "num_convolution_layer": 32, "_number_of_species": 120}
_WIDEST = 4096  # layers of neurons, and features of a degree

_config: ContextVar[Optional[Dict[str, Any]]] = ContextVar("config", default=None)
_brought: Dict[str, Dict[str, Any]] = {}


def is_path(name: str) -> bool:
    """Whether ``pretrained`` is a path, and not the name of published weights."""
    return "/" in name or "\\" in name or name.endswith(_SUFFIXES)


def content_of_file(name: str) -> Dict[str, Any]:
    """``config`` and ``model_state_dict`` of the checkpoint at a path.

    :raises ArchitectureError: it is an address.
    :raises CheckpointError: it is not there, damaged, a program, or not one of the package.
    """
    if "://" in name:
        what = "published weights are read from a file, not from an address"
        raise ArchitectureError(what, where="pretrained", hint="download it, and give its path")
    path = Path(name).expanduser()
    try:
        stored = path.read_bytes()
    except OSError as error:
        known = [one.name for one in path.parent.glob("*")] if path.parent.is_dir() else []
        what = f"cannot be read: {error.strerror}"
        hint = did_you_mean(path.name, known)
        raise CheckpointError(what, where=str(path), hint=hint) from error
    _check_archive(stored, str(path))
    content = safely_read(stored, str(path))
    check_content(content, str(path))
    return content


def _check_archive(stored: bytes, where: str) -> None:
    """Whether it is a torch file of values whose checksums are right.

    :raises CheckpointError: it is not.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(stored)) as archive:
            members = archive.infolist()
            packed = any(one.compress_type != zipfile.ZIP_STORED for one in members)
            program = any(one.filename.endswith("/constants.pkl") for one in members)
            wrong = None if program or packed else archive.testzip()
    except _DAMAGED as error:
        what = f"is damaged, or not a torch file ({error})"
        raise CheckpointError(what, where=where) from error
    if program or packed:
        what = "is a TorchScript program" if program else "is a compressed archive"
        hint = f"give the checkpoint that {NAME} wrote in its training (checkpoint_best.pth)"
        raise CheckpointError(f"{what}, not a checkpoint of {NAME}", where=where, hint=hint)
    if wrong is not None:
        raise CheckpointError(f"is damaged: the checksum of {wrong!r} is wrong", where=where)


def digest_of(name: str) -> str:
    """SHA-256 of the file at a path; empty where there is none."""
    try:
        with open(Path(name).expanduser(), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def announce(name: str, digest: str) -> None:
    """Log that the file is not one whose checksum is known."""
    known = next((one for one, other in PUBLISHED.items() if other.sha256 == digest), None)
    if known is not None:
        log.info("%s: SHA-256 %s, which is that of %s", name, digest, known)
        return
    log.warning(
        "%s: SHA-256 %s, of which no published model is known; it was read as values, and nothing "
        "in it was run, but whether its weights are what you expect is for you to check",
        name,
        digest,
    )


def check_content(content: Mapping[str, Any], where: str) -> None:
    """Whether a file says what network it is of, in numbers that can be meant.

    :raises CheckpointError: one problem for each thing that is missing or out of range.
    """
    config, weights = content["config"], content["model_state_dict"]
    if not isinstance(config, Mapping) or not isinstance(weights, Mapping):
        raise CheckpointError(f"is not a checkpoint of {NAME}", where=where)
    problems = [Problem(what, where) for what in (*_of_config(config), *_of_weights(weights))]
    if problems:
        raise CheckpointError.collect(problems)


def _of_config(config: Mapping[str, Any]) -> Iterator[str]:
    kind, version = config.get("_model_type"), config.get("version")
    if kind != _KIND:
        yield f"is a checkpoint of {NAME} of a model {kind!r}, not {_KIND!r}"
    parts = version.split(".") if isinstance(version, str) else []
    if len(parts) < 3 or not all(part.isdecimal() for part in parts[:3]):
        yield f"was written by {NAME} {version!r}, which is not a version"
    if not isinstance(config.get("_type_map"), Mapping) or not config["_type_map"]:
        yield "does not say which elements it knows (_type_map)"
    cutoff = config.get("cutoff")
    if not isinstance(cutoff, float | int) or not 0 < cutoff <= 100:
        yield f"has a cutoff of {cutoff!r} Å"
    for key, largest in _LARGEST.items():
        value = config.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= largest:
            yield f"has {key} {value!r}, which is not a number from 0 to {largest}"
    widths = config.get("weight_nn_hidden_neurons")
    if not isinstance(widths, list) or not all(
        isinstance(one, int) and 0 < one <= _WIDEST for one in widths
    ):
        yield f"has weight_nn_hidden_neurons {widths!r}, which are not widths up to {_WIDEST}"
    yield from _of_irreps(config.get("irreps_manual", False))
    faster = config.get("cuequivariance_config")
    used = [key for key in _ACCELERATED if config.get(key)]
    used += ["cuequivariance_config"] * bool(isinstance(faster, Mapping) and faster.get("use"))
    if used:
        yield f"has weights in the order of an accelerator ({', '.join(used)}): write plain ones"


def _of_irreps(given: Any) -> Iterator[str]:
    from e3nn.o3 import Irreps

    if given is False or given is None:
        return
    try:
        widest = max(part.mul * part.ir.dim for one in given for part in Irreps(one))
    except (TypeError, ValueError):
        yield f"has irreps_manual {given!r}, which are not irreducible representations"
        return
    if widest > _WIDEST:
        yield f"has irreps_manual with {widest} features of one degree, more than {_WIDEST}"


def _of_weights(weights: Mapping[str, Any]) -> Iterator[str]:
    strange = [name for name, one in weights.items() if not isinstance(one, torch.Tensor)]
    if strange or not weights:
        yield f"has weights that are not tensors: {', '.join(map(str, strange[:3])) or 'none'}"
        return
    wrong = [name for name, one in weights.items() if not bool(one.isfinite().all())]
    if wrong:
        yield f"has weights that are not finite: {', '.join(wrong[:3])}"


def plain(config: Mapping[str, Any]) -> Dict[str, Any]:
    """What the network depends on, in numbers, texts, lists and mappings with texts as keys."""
    known = {*package("_const").DEFAULT_E3_EQUIVARIANT_MODEL_CONFIG, *_KEYS}
    return {key: _plain(value) for key, value in config.items() if key in known}


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor | np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def from_plain(stored: Mapping[str, Any]) -> Dict[str, Any]:
    """The configuration that :func:`plain` was given, as far as the network depends on it."""
    types = {int(z): int(number) for z, number in stored["_type_map"].items()}
    return {**stored, "_type_map": types}


@contextmanager
def described_by(config: Optional[Mapping[str, Any]], name: Optional[str]) -> Iterator[None]:
    """Within the block the network of ``name`` is built by ``config``; its file is not read.

    Afterwards too, if there is no such file any more: a fine-tuning builds another one.
    """
    if config is None or name is None:
        yield
        return
    kept = from_plain(config)
    _brought[name] = kept
    token = _config.set(kept)
    try:
        yield
    finally:
        _config.reset(token)


def description_of(name: str) -> Optional[Dict[str, Any]]:
    """The configuration that a checkpoint of mtt has brought, where the file is not to be read."""
    return _config.get() or (None if digest_of(name) else _brought.get(name))


def modalities_in(config: Mapping[str, Any]) -> Tuple[str, ...]:
    """Labels of the data that a network was trained on, its default first."""
    if not config.get("use_modality"):
        return ()
    known: List[str] = [str(one) for one in config["_modal_map"]]
    default = config.get("default_modal")
    return tuple(sorted(known, key=lambda one: (one != default, one)))
