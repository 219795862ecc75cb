"""Masks: extra data that say which labels of a target count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtt.data.files.raw_frame import RawFrame
from mtt.data.findings import Findings
from mtt.data.frames import Float, FrameLabels


def apply_mask(
    target: str,
    labels: list[FrameLabels],
    masks: Sequence[Float],
    systems: Sequence[RawFrame],
    findings: Findings,
) -> None:
    """Make the values of ``labels`` missing (NaN) where the mask is 0.

    The convention of metatrain's masked losses: ``extra_data`` called ``<target>_mask``, shaped
    like the values. Forces and stress have no mask; there, NaN says what is missing.

    :param findings: takes masks that are not 0 or 1, or of another shape than the values.
    """
    for i, (frame, label, mask) in enumerate(zip(systems, labels, masks, strict=True)):
        if mask.shape != label.values.shape:
            what = f"the mask of {target!r} has not the shape of its values"
            detail = f": {list(mask.shape)}, not {list(label.values.shape)}"
            hint = "give it the sample_kind and num_subtargets of the target"
            findings.add(frame, what, detail, hint)
        elif not np.isin(mask, (0.0, 1.0)).all():
            findings.add(frame, f"the mask of {target!r} holds something else than 0 and 1")
        else:
            labels[i] = label._replace(values=np.where(mask == 1.0, label.values, np.nan))
