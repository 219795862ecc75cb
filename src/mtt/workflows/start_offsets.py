"""What the residuals of a source say: an offset per element, the rest, and which files differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from metatomic.torch import unit_conversion_factor
from torch import Tensor

from mtt.baselines.offset import Offset, fit_offset
from mtt.data.info import DatasetInfo
from mtt.graph import Target
from mtt.mlip.fitting import counts_of
from mtt.workflows.start_factors import Factor, energy_factor, force_factor
from mtt.workflows.start_sample import Sample

_SHARE = 0.5  # of the residual that may be left where an offset explains it
_DISPLACEMENT = (
    0.2  # Å, by which atoms move: forces that are off by f make energies uncertain by f d
)
_ROUNDING = 1e-4  # of the scale: smaller residuals are those of the precision
_WORSE = 1.5  # times what composition alone leaves
_SPREADS = 3.0  # of a file, beyond which its references are others
_FREEDOM = 3  # samples beyond the numbers that are fitted, for statements about what is left
_MAD = 1.4826


@dataclass(frozen=True)
class Verdict:
    """What a target's labels are, against the predictions; all per atom, in the target's unit.

    :param shift: mean of labels minus predictions.
    :param before: root mean square residual, the numbers of new elements being fitted.
    :param noise: residuals of this size are the model's own error, not a reference.
    :param alone: spread of the labels that the composition alone leaves.
    :param offset: one number per element, fitted to the residual.
    :param fresh: the same for elements that are new to the source, all others being zero.
    :param factor: of values and of forces, where they change otherwise than predictions.
    :param files: file to its mean residual, of files that differ from the others.
    """

    shift: float
    before: float
    noise: float
    alone: float
    offset: Offset
    fresh: Offset
    factor: Factor | None = None
    force_factor: Factor | None = None
    files: dict[str, float] = field(default_factory=dict)

    @property
    def after(self) -> float:
        """Root mean square residual that the offset leaves."""
        return self.offset.spread

    @property
    def explained(self) -> bool:
        """Whether an offset per element explains the residual, and it is larger than the noise."""
        if self.offset.freedom < 1:  # any residual can be fitted: its size alone speaks
            return self.before > _SPREADS * self.noise
        return self.before > self.noise and self.after < _SHARE * self.before

    @property
    def unexplained(self) -> bool:
        """Whether more is left than without any model: composition alone."""
        enough = self.offset.freedom >= _FREEDOM
        return enough and self.after > _WORSE * self.alone and self.after > _ROUNDING * self.noise


def judge(
    sample: Sample,
    name: str,
    free: Sequence[int],
    new: Sequence[int],
    info: DatasetInfo,
    scale: float,
) -> Verdict | None:
    """The verdict of the target ``name``; None where no value has a label.

    :param free: elements, as indices of ``info.atomic_types``, that an offset may consist of.
    :param new: those of them that the source does not know.
    :param scale: size of what the network predicts; 0: not known.
    """
    target, data = info.targets[name], sample.structures
    labels, found = data.target(name), sample.predictions[name]
    counts = counts_of(data, target, info.atomic_types)
    sizes = torch.ones(len(counts)).double() if target.per_atom else data.n_atoms.double()
    residual = labels.values - found.values
    offset = fit_offset(counts, residual, sizes, free)
    kept = offset.kept
    if not bool(kept.any()):
        return None
    fresh = fit_offset(counts, residual, sizes, new)
    rest = labels.values[kept], found.values[kept]
    alone = fit_offset(counts[kept], rest[0], sizes[kept], range(counts.shape[1]), robust=False)
    own_forces = force = None
    if target.is_energy:
        own_forces = energy_factor(counts[kept], *rest, sizes[kept], target.unit)
        force = _force_factor(labels, found, target.unit, info.length_unit)
    noise = max(_noise(labels, found, info.length_unit, scale), _ROUNDING * scale)
    return Verdict(
        shift=float((residual / sizes[:, None])[kept].mean()),
        before=float(fresh.left[kept].square().mean().sqrt()),
        noise=noise,
        alone=alone.spread,
        offset=offset,
        fresh=fresh,
        factor=own_forces,
        force_factor=force,
        files={} if target.per_atom else _other_files(sample.files(), offset.left, noise),
    )


def _force_factor(labels: Target, found: Target, energy: str, length: str) -> Factor | None:
    if labels.forces is None or found.forces is None:
        return None
    return force_factor(labels.forces, found.forces, energy, length)


def _noise(labels: Target, found: Target, length_unit: str, scale: float) -> float:
    """Residual per atom that errors of the model make, as far as its forces or its scale say."""
    if labels.forces is not None and found.forces is not None:
        off = (labels.forces - found.forces)[labels.forces.isfinite()]
        if len(off):
            angstrom = unit_conversion_factor("angstrom", length_unit) if length_unit else 1.0
            return _DISPLACEMENT * angstrom * float(off.square().mean().sqrt())
    return scale


def _other_files(files: Sequence[str], left: Tensor, noise: float) -> dict[str, float]:
    """Median of what is left per atom, of files that are off by more than noise and spread."""
    values, names = left.mean(dim=1).numpy(), np.array(files)
    known = np.isfinite(values)
    groups = {one: values[known & (names == one)] for one in dict.fromkeys(names[known].tolist())}
    if len(groups) < 2:
        return {}
    middles = {one: float(np.median(group)) for one, group in groups.items()}
    inside = np.concatenate([group - middles[one] for one, group in groups.items()])
    width = max(noise, _SPREADS * _MAD * float(np.median(np.abs(inside))))
    return {one: middle for one, middle in middles.items() if abs(middle) > width}
