"""What a run keeps for its report: predictions of a sample of its structures, facts of its data.

One file in the run folder, so that a report can be made again when the data are elsewhere.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtt.checkpoint.temporary import temporary_name
from mtt.errors import CheckpointError

KEPT = "report.npz"
"""File of the run folder."""

FORMAT = 1
_FACTS = "facts"


@dataclass(frozen=True)
class Kept:
    """Content of the file.

    Of structures (``n`` in all parts together): ``part`` [n], index into ``facts["parts"]``;
    ``set`` [n], into ``facts["sets"]``; ``source`` [n], into ``facts["files"]``; ``frame`` [n];
    ``n_atoms`` [n]; ``group/0`` [n], into ``facts["groups"][0]["values"]``, and so on. Of
    ``facts["quantities"][q]``: ``q/squares``, ``q/absolutes``, ``q/count`` [n], sums over its
    labelled components; and of at most some thousand of these for each part ``q/structure``,
    ``q/element`` (atomic number, 0: of the structure), ``q/reference`` and ``q/predicted``, in
    the unit of the quantity.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    def of(self, quantity: int, name: str) -> NDArray[Any]:
        """An array of one quantity."""
        return self.arrays[f"{quantity}/{name}"]

    def save(self, path: Path) -> None:
        """Write the file in one step.

        :raises OSError: it cannot be written; an existing one is untouched.
        """
        out = io.BytesIO()
        text = json.dumps({"format": FORMAT, **self.facts}, ensure_ascii=False, allow_nan=False)
        facts = np.frombuffer(text.encode(), dtype=np.uint8)
        named: dict[str, Any] = {_FACTS: facts, **self.arrays}
        np.savez_compressed(out, **named)
        temporary = temporary_name(path)
        try:
            temporary.write_bytes(out.getvalue())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> Kept:
        """Read the file.

        :raises CheckpointError: it is damaged, or of a newer mtt.
        :raises FileNotFoundError: there is none.
        """
        try:
            # numpy leaves a damaged file open
            with np.load(io.BytesIO(path.read_bytes())) as archive:
                arrays = {name: archive[name] for name in archive.files}
            facts = json.loads(arrays.pop(_FACTS).tobytes().decode())
        except FileNotFoundError:
            raise
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise CheckpointError(
                f"cannot be read ({type(error).__name__})",
                where=str(path),
                hint="remove it; the report then shows what the other files hold",
            ) from error
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            raise CheckpointError("was written by another version of mtt", where=str(path))
        return cls(facts, arrays)
