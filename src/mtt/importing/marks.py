"""Programs that are known by the texts in their checkpoints, which hold no objects of theirs."""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path

from mtt.checkpoint.kinds import ZIP_ERRORS

_LARGEST = 2**24  # bytes of a pickle that are looked through
_PICKLE = "/data.pkl"
_MALFORMED: tuple[type[Exception], ...] = (*ZIP_ERRORS, LookupError)
_LIGHTNING = "pytorch-lightning_version"
_MARKS: tuple[tuple[str, frozenset[str]], ...] = (
    ("SevenNet", frozenset({"model_state_dict", "E3_equivariant_model", "chemical_species"})),
    ("NequIP", frozenset({_LIGHTNING, "nequip"})),
    ("PyTorch Lightning", frozenset({_LIGHTNING})),
)


def marked(path: Path) -> str | None:
    """The program that wrote a torch file, by texts in its pickle; nothing is loaded."""
    texts = set(_texts(path))
    # names of classes and modules: "nequip.model.NequIPGNNModel"
    texts |= {text.partition(".")[0] for text in texts}
    return next((program for program, marks in _MARKS if marks <= texts), None)


def _texts(path: Path) -> Iterator[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(_PICKLE)]
            with archive.open(names[0]) as file:
                pickle = file.read(_LARGEST)
        for _, argument, _ in pickletools.genops(pickle):
            if isinstance(argument, str):
                yield argument
    except _MALFORMED:
        return  # not a torch file, or cut off
