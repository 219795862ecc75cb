"""Why a stress in a file cannot be used: it needs a volume, and so three periodic directions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtt.data.files.raw_frame import RawFrame
from mtt.data.findings import name_frames
from mtt.data.frames import Float


def why_no_stress(frame: RawFrame, stress: Float) -> str:
    """Why the ``stress`` [3, 3] of a structure that is not periodic is not used."""
    pbc = " ".join("FT"[int(flag)] for flag in frame.pbc)
    why = f"not periodic in three directions (pbc {pbc})"
    if not frame.cell.any():
        why += ", and there is no cell (Lattice)"
    elif not frame.pbc.any() and abs(np.linalg.det(frame.cell)) > 0.0:
        why += ", although there is a cell (Lattice)"
    return f"{why}; it is zero there" if not np.nan_to_num(stress).any() else why


def dropped_stress(key: str, frames: Sequence[RawFrame], stresses: Sequence[Float]) -> list[str]:
    """Notices of stresses that are in a file and not used, by reason.

    :param stresses: [3, 3] of each of ``frames``, NaN where there is none.
    """
    reasons: dict[tuple[str, str], list[int]] = {}
    for frame, stress in zip(frames, stresses, strict=True):
        if not frame.is_periodic and not np.isnan(stress).all():
            why = (frame.file, why_no_stress(frame, stress))
            reasons.setdefault(why, []).append(frame.number)
    return [
        f"{file}: {key!r} is not used where a structure is {why} ({name_frames(numbers)})"
        + ('; for a solid write pbc="T T T"' if "although" in why else "")
        for (file, why), numbers in reasons.items()
    ]
