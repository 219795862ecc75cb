"""The metadata of an exported model, read without loading its program.

Loading TorchScript can execute code from the file. metatomic writes what a model is as JSON beside
the program, and into it as texts; those are found by reading opcodes, which runs nothing.
"""

from __future__ import annotations

import json
import pickletools
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mtt.checkpoint.kinds import ZIP_ERRORS
from mtt.errors import CheckpointError

_METADATA = ("name", "description", "authors", "references", "extra")
# RecursionError is a RuntimeError
_MALFORMED: tuple[type[Exception], ...] = (*ZIP_ERRORS, TypeError, LookupError, AttributeError)


def describe_exported(path: Path) -> dict[str, Any]:
    """``metadata``, ``export`` and ``capabilities`` of a file whose checksums are right.

    ``capabilities`` are None where the file does not hold them, and ``problem`` says so.

    :raises CheckpointError: it is a program of another kind, or was altered.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.partition("/")[2]: name for name in archive.namelist()}
            if "extra/model-metadata" not in members:
                raise CheckpointError(
                    "is a TorchScript program, but not an exported atomistic model",
                    where=str(path),
                )
            metadata = json.loads(archive.read(members["extra/model-metadata"]))
            read: dict[str, Any] = {
                "metadata": {key: metadata.get(key) for key in _METADATA},
                "export": _export_record(archive, members),
            }
            stored = list(_stored(archive.read(members["data.pkl"])))
        capabilities = _capabilities(stored)
    except _MALFORMED as error:
        what = f"was altered: it is not an exported model ({type(error).__name__}: {error})"
        raise CheckpointError(what, where=str(path)) from error
    if capabilities is None:
        read["problem"] = "holds no capabilities where metatomic writes them"
    return {**read, "capabilities": capabilities}


def _export_record(archive: zipfile.ZipFile, members: dict[str, str]) -> dict[str, Any]:
    """Where, when and with what the file was made, as metatomic stores it."""
    record: dict[str, Any] = {}
    for key in ("torch-version", "metatomic-version", "export-metadata", "extensions"):
        name = members.get(f"extra/{key}")
        if name is None:
            continue
        text = archive.read(name).decode()
        if key == "export-metadata":
            record |= json.loads(text)
        else:
            record[key] = json.loads(text) if key == "extensions" else text
    return record


def _stored(program: bytes) -> Iterator[dict[str, Any]]:
    """metatomic's objects among the values of the program."""
    for _, text, _ in pickletools.genops(program):
        if isinstance(text, str) and text.startswith("{") and '"class"' in text:
            yield json.loads(text)


def _capabilities(stored: list[dict[str, Any]]) -> dict[str, Any] | None:
    found = [one for one in stored if one.get("class") == "ModelCapabilities"]
    lists = [one for one in stored if one.get("class") == "NeighborListOptions"]
    if not found:
        return None
    values = found[-1]  # of the model that wraps all others
    outputs = {
        name: {
            "unit": output["unit"],
            "sample_kind": output["sample_kind"],
            "gradients": output["explicit_gradients"],
            "description": output["description"],
        }
        for name, output in values["outputs"].items()
    }
    return {
        "outputs": outputs,
        "atomic_types": values["atomic_types"],
        "interaction_range": _float(values["interaction_range"]),
        "cutoff": max((_float(one["cutoff"]) for one in lists), default=0.0),
        "length_unit": values["length_unit"],
        "supported_devices": values["supported_devices"],
        "dtype": values["dtype"],
    }


def _float(bits: int) -> float:
    """metatomic writes a float64 as the integer of the same bits."""
    value: float = struct.unpack("<d", struct.pack("<q", bits))[0]
    return value
