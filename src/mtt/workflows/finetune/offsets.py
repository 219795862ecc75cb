"""What the residuals of a source say: an offset per element, the rest, and which files differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from metatomic.torch import unit_conversion_factor
from torch import Tensor

from mtt.baselines.offset import Offset, fit_offset
from mtt.data.info import DatasetInfo
from mtt.graph import Target
from mtt.mlip.fitting import counts_of
from mtt.workflows.finetune.factors import Factor, energy_factor, force_factor
from mtt.workflows.finetune.sample import Sample

_SHARE = 0.5  # of the residual that may be left where an offset explains it
_DISPLACEMENT = (
    0.2  # Å, by which atoms move: forces that are off by f make energies uncertain by f d
)
_ROUNDING = 1e-4  # of the scale: smaller residuals are those of the precision
_WORSE = 1.5  # times what composition alone leaves: the source makes things worse
_NOTHING = 0.9  # times the same: the source explains nothing of it
_SPREADS = 3.0  # times the noise, beyond which a residual is not the model's own error
_FREEDOM = 3  # samples beyond the numbers that are fitted, for statements about what is left


class _Parts(NamedTuple):
    """What :func:`mtt.baselines.offset.fit_offset` takes."""

    counts: Tensor
    residual: Tensor
    sizes: Tensor
    free: Sequence[int]


@dataclass(frozen=True)
class Verdict:
    """What a target's labels are, against the predictions; all per atom, in the target's unit.

    :param shift: mean of labels minus predictions.
    :param before: root mean square residual, the numbers of new elements being fitted.
    :param noise: residuals of this size are the model's own error, not a reference.
    :param alone: spread of the labels that the composition alone leaves.
    :param offset: one number per element, fitted to the residual.
    :param fresh: the same for elements that are new to the source, all others being zero.
    :param factor: of the values, where they change otherwise than predictions.
    :param far: structure to its residual, of those that the numbers were not fitted to.
    :param files: file to its mean residual, where references differ from file to file.
    """

    shift: float
    before: float
    noise: float
    alone: float
    offset: Offset
    fresh: Offset
    factor: Factor | None = None
    far: dict[str, float] = field(default_factory=dict)
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
        """Whether as much is left as without the network, by composition alone, or more."""
        if self.offset.freedom < _FREEDOM or self.after < _ROUNDING * self.noise:
            return False
        much = self.after > _SPREADS * self.noise
        return self.after > (_NOTHING if much else _WORSE) * self.alone


def judge(
    sample: Sample,
    name: str,
    free: Sequence[int],
    new: Sequence[int],
    info: DatasetInfo,
    scale: float,
) -> Verdict | None:
    """The verdict of the target ``name``; None where no value has a label.

    Of a target with components, those alone are looked at that do not turn with the structure.

    :param free: elements, as indices of ``info.atomic_types``, that an offset may consist of.
    :param new: those of them that the source does not know.
    :param scale: size of what the network predicts; 0: not known.
    """
    target, data = info.targets[name], sample.structures
    labels, found = data.target(name), sample.predictions[name]
    if not target.invariant_columns:
        return None
    true, predicted = (target.invariant_part(one.values) for one in (labels, found))
    counts = counts_of(data, target, info.atomic_types)
    sizes = torch.ones(len(counts)).double() if target.per_atom else data.n_atoms.double()
    residual = true - predicted
    parts = _Parts(counts, residual, sizes, free)
    offset = fit_offset(*parts)
    kept = offset.kept
    if not bool(kept.any()):
        return None
    fresh = fit_offset(counts, residual, sizes, new)
    rest = true[kept], predicted[kept]
    alone = fit_offset(counts[kept], rest[0], sizes[kept], range(counts.shape[1]), robust=False)
    factor = None
    if target.is_energy:
        factor = energy_factor(counts[kept], *rest, sizes[kept], target.unit)
    scale = scale or alone.spread
    noise = max(_noise(labels, found, info.length_unit, scale), _ROUNDING * scale)
    return Verdict(
        shift=float((residual / sizes[:, None])[kept].mean()),
        before=float(fresh.left[kept].square().mean().sqrt()),
        noise=noise,
        alone=alone.spread,
        offset=offset,
        fresh=fresh,
        factor=factor,
        far={} if target.per_atom else _far(sample, offset, _ROUNDING * scale),
        files={} if target.per_atom else _files(sample.files(), parts, offset, noise),
    )


def force_factor_of(sample: Sample, name: str, info: DatasetInfo) -> Factor | None:
    """Factor of the forces of the energy ``name``; None where they agree."""
    labels, found = sample.structures.target(name).forces, sample.predictions[name].forces
    if labels is None or found is None or not info.targets[name].is_energy:
        return None
    return force_factor(labels, found, info.targets[name].unit, info.length_unit)


def _noise(labels: Target, found: Target, length_unit: str, scale: float) -> float:
    """Residual per atom that errors of the model make, as far as its forces or its scale say."""
    if labels.forces is not None and found.forces is not None:
        off = (labels.forces - found.forces)[labels.forces.isfinite()]
        if len(off):
            angstrom = unit_conversion_factor("angstrom", length_unit) if length_unit else 1.0
            return _DISPLACEMENT * angstrom * float(off.square().mean().sqrt())
    return scale


def _far(sample: Sample, offset: Offset, rounding: float) -> dict[str, float]:
    """Mean residual per atom that is left, of structures that were left out."""
    values = offset.left.mean(dim=1)
    out = (values.abs() > rounding) & ~offset.kept
    far = out.nonzero()[:, 0].tolist()
    return {sample.structures.source(i): float(values[i]) for i in far}


def _files(files: Sequence[str], parts: _Parts, common: Offset, noise: float) -> dict[str, float]:
    """Mean residual per atom by file, where only numbers of each file explain it."""
    names = np.array(files)
    groups = {one: torch.from_numpy(names == one) & common.kept for one in dict.fromkeys(files)}
    groups = {one: which for one, which in groups.items() if bool(which.any())}
    if len(groups) < 2 or common.spread < noise:
        return {}
    own = [
        fit_offset(parts.counts[which], parts.residual[which], parts.sizes[which], parts.free)
        for which in groups.values()
    ]
    squares = sum(one.spread**2 * max(one.freedom, 0) for one in own)
    freedom = sum(max(one.freedom, 0) for one in own)
    if freedom < _FREEDOM or (squares / freedom) ** 0.5 > _SHARE * common.spread:
        return {}
    per_atom = (parts.residual / parts.sizes[:, None]).mean(dim=1)
    return {one: float(per_atom[which].mean()) for one, which in groups.items()}
