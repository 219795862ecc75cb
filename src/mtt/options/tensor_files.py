"""Which files hold values of targets as metatensor's ``TensorMap``."""

from __future__ import annotations

from pathlib import Path

TENSORS = "metatensor"
"""metatrain's name of the reader. It is known by the suffix, and need not be named."""


def is_tensor_file(read_from: str | list[str] | None) -> bool:
    """Whether the option ``read_from`` names files of this format."""
    names = read_from if isinstance(read_from, list) else [read_from or ""]
    return any(Path(name).suffix.lower() == ".mts" for name in names)
