"""What is computed from the training set before the first step: baselines and scales."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mtt.baselines.composition import Undetermined, fit_composition, warn_of
from mtt.baselines.given import by_number, is_finite, table_of
from mtt.baselines.prior import Prior
from mtt.baselines.prior.culprit import naming_the_structure
from mtt.baselines.zbl import ZBL
from mtt.data import Batching, Loader
from mtt.data.info import DatasetInfo, TargetInfo
from mtt.errors import ArchitectureError, ConfigError, did_you_mean
from mtt.graph import Target
from mtt.mlip.derivatives import forces, pair_gradient
from mtt.mlip.noise import is_noise, largest, root_mean_square, spread
from mtt.mlip.support import check_invariant
from mtt.options.training import BaselineOptions
from mtt.stopping import stop_if_asked

if TYPE_CHECKING:
    from mtt.data import Batch, Dataset

log = logging.getLogger(__name__)

UNDETERMINED = (
    "the training set has no label of %s itself: it is learnt from its derivatives alone, and its "
    "constant is not determined (atomic_baseline sets it); its own errors do not decide the best "
    "epoch"
)


def fit_tables(
    dataset: Dataset, info: DatasetInfo, options: BaselineOptions, offsets: Mapping[str, Target]
) -> tuple[Tensor, Tensor]:
    """Composition weights [n_types, Σ properties] and scales [n_targets], float64.

    :param offsets: other baselines already in the model, per target.
    :raises ConfigError: as :func:`fit_weights` and :func:`fit_scales`.
    """
    offset = {name: target.values for name, target in offsets.items()}
    weights = fit_weights(dataset, info, options.atomic_baseline, offset)
    scales = fit_scales(dataset, info, weights, options, offsets)
    columns = torch.cat([weights[name] for name in info.targets], dim=1)
    return columns, torch.tensor([scales[name] for name in info.targets], dtype=torch.float64)


def fit_weights(
    dataset: Dataset,
    info: DatasetInfo,
    given: Mapping[str, Any] | str,
    offset: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Composition weights [n_types, numbers of a sample] of every target.

    Extensive targets are fitted over structures, per-atom targets over atoms (the mean of
    each element). Of targets with given weights, those of the other elements are fitted to what
    the given ones leave over. A target that is the mean over atoms gets its own mean, the same
    for every element: no composition is fitted unless ``given`` names it. Of a target with
    components, those that turn with a structure have the weight zero. A mean that the options ask
    for by name (``aggregation: mean``) is fitted to the shares of the elements.

    :param given: ``atomic_baseline`` of the options, target to a number, or to numbers by
        element, see :func:`mtt.baselines.given.by_number`.
    :param offset: other baselines [n, properties] already in the model, taken off first.
    :raises ConfigError: a given baseline is of no target, or not a number of an element.
    """
    given = _by_target("atomic_baseline", given, info)
    weights, undetermined = {}, Undetermined()
    for name, target in info.targets.items():
        numbers = by_number(name, given.get(name, {}), info.atomic_types)
        if name in given:
            check_invariant(name, target, given[name])
        fixed = target.invariant_columns
        table, rows = table_of(name, numbers, info.atomic_types, len(fixed))
        others = [i for i in range(len(info.atomic_types)) if i not in rows]
        if others and fixed:
            values = target.invariant_part(dataset.target(name).values)
            if name in offset:
                values = values - offset[name]
            if target.has_constant and name not in given:
                mean = values.nanmean(dim=0).nan_to_num(0.0).repeat(len(others), 1)
                weights[name] = target.with_invariants(mean)
                continue
            if target.is_energy and bool(values.isnan().all()):
                log.warning(UNDETERMINED, name)
            counts = counts_of(dataset, target, info.atomic_types)
            if rows:
                values = values - counts @ table
            types = [info.atomic_types[i] for i in others]
            table[others] = fit_composition(counts[:, others], values, types, name, undetermined)
        weights[name] = target.with_invariants(table)
    warn_of(undetermined)
    return weights


def fit_scales(
    dataset: Dataset,
    info: DatasetInfo,
    weights: Mapping[str, Tensor],
    options: BaselineOptions,
    offsets: Mapping[str, Target],
) -> dict[str, float]:
    """The size of what the network has to learn, one number per target.

    It is the root mean square of the forces where there are any (in energy per length, the
    convention of NequIP and MACE: a network of order one then has forces of order one) that
    are more than rounding noise (:func:`mtt.mlip.noise.is_noise`), else of the values without
    their composition baseline, per atom for sums over atoms.

    :param offsets: other baselines already in the model, taken off first.
    :raises ConfigError: ``fixed_scaling_weights`` names no target of the data.
    """
    fixed = _by_target("fixed_scaling_weights", options.fixed_scaling_weights, info)
    scales = {}
    for name in info.targets:
        if name in fixed:
            scales[name] = _fixed_scale(name, fixed[name])
        elif options.scale_targets:
            off = offsets.get(name)
            residual = residuals(dataset, name, info, weights[name], off)
            scales[name] = root_mean_square(typical(dataset, name, residual, off))
        else:
            scales[name] = 1.0
    return scales


def check_given(options: BaselineOptions, info: DatasetInfo) -> None:
    """Check the values that the options fix, before the fit.

    :raises ConfigError: as :func:`fit_weights` and :func:`fit_scales`.
    """
    given = _by_target("atomic_baseline", options.atomic_baseline, info)
    for name, value in given.items():
        numbers = by_number(name, value, info.atomic_types)
        check_invariant(name, info.targets[name], value)
        table_of(name, numbers, info.atomic_types, len(info.targets[name].invariant_columns))
    fixed = _by_target("fixed_scaling_weights", options.fixed_scaling_weights, info)
    for name, value in fixed.items():
        _fixed_scale(name, value)


def make_zbl(hypers: Mapping[str, Any], info: DatasetInfo) -> ZBL | None:
    """The ZBL baseline, where the model's option ``zbl`` asks for it and there is an energy."""
    energies = [target for target in info.targets.values() if target.is_energy]
    if not hypers.get("zbl", False) or not energies:
        return None
    return ZBL(list(info.atomic_types), info.length_unit, energies[0].unit)


def make_prior(hypers: Mapping[str, Any], info: DatasetInfo) -> Prior | None:
    """The prior, where the model's option ``prior`` describes one.

    :raises ArchitectureError: there is no energy that it could be part of.
    """
    if not hypers.get("prior"):
        return None
    energies = [target for target in info.targets.values() if target.is_energy]
    if not energies:
        raise ArchitectureError(
            "a prior needs a target that is an energy", where="architecture.model.prior"
        )
    types = [int(z) for z in info.atomic_types]
    return Prior(hypers["prior"], types, info.length_unit, energies[0].unit)


def largest_cutoff(baselines: Sequence[ZBL | Prior | None]) -> float:
    """That of the baselines that there are; 0 without any."""
    return max((float(part.cutoff) for part in baselines if part is not None), default=0.0)


def offsets_of(
    baselines: Sequence[torch.nn.Module | None],
    energies: Sequence[str],
    dataset: Dataset,
    atomic_types: Sequence[int],
    cutoff: float,
) -> dict[str, Target]:
    """What ``baselines`` give for a data set, for each of ``energies``; empty without any.

    :raises DataError: see :func:`offset_of`.
    """
    present = [baseline for baseline in baselines if baseline is not None]
    if not present:
        return {}
    return dict.fromkeys(energies, offset_of(present, dataset, atomic_types, cutoff))


def offset_of(
    baselines: Sequence[torch.nn.Module],
    dataset: Dataset,
    atomic_types: Sequence[int],
    cutoff: float,
) -> Target:
    """Energy of every structure [n, 1] and forces [N, 3], both float64, by all ``baselines``.

    :raises DataError: a structure that a baseline does not know; names file and frame.
    """

    def batches(data: Dataset, size: int) -> Iterator[Batch]:
        loader = Loader(
            data,
            atomic_types,
            dtype=torch.float64,
            device=torch.device("cpu"),
            batching=Batching(structures=size),
            shuffle=False,
            cutoff=cutoff,
        )
        return loader.epoch(0)

    def evaluate(batch: Batch) -> tuple[Tensor, Tensor]:
        graph = batch.graph._replace(vectors=batch.graph.vectors.requires_grad_(True))
        atomic = torch.stack([baseline(graph) for baseline in baselines]).sum(0)
        energies = atomic.new_zeros(graph.n_systems).index_add(0, graph.system, atomic)
        gradient = pair_gradient(energies, graph, create_graph=False)
        return energies.detach()[:, None], forces(gradient, graph)

    def alone(i: int) -> None:
        evaluate(next(batches(dataset.select([i]), 1)))

    parts = []
    for batch in batches(dataset, 100):
        stop_if_asked()
        with naming_the_structure(dataset, batch.index, alone):
            parts.append(evaluate(batch))
    energy, force = (torch.cat(part) for part in zip(*parts, strict=True))
    return Target(energy, force)


def residuals(
    dataset: Dataset, name: str, info: DatasetInfo, weights: Tensor, offset: Target | None
) -> Tensor:
    """Labels of the values without their baselines [n, k], per atom for sums over atoms."""
    target, values = info.targets[name], dataset.target(name).values.flatten(1)
    counts = counts_of(dataset, target, info.atomic_types)
    residual = values - counts @ weights - (0.0 if offset is None else offset.values)
    return residual / dataset.n_atoms[:, None] if target.pooling == "sum" else residual


def typical(dataset: Dataset, name: str, residual: Tensor, offset: Target | None = None) -> Tensor:
    """What a scale is measured from: derivatives by positions that are not noise, or ``residual``.

    :param residual: of :func:`residuals`; where it is measured from, it is returned itself.
    """
    left = dataset.target(name).forces
    if left is None or not bool(torch.isfinite(left).any()):
        return residual
    if offset is not None:
        assert offset.forces is not None, "offsets come with their forces"
        left = left - offset.forces
    return residual if is_noise(largest(left), spread(residual)) else left


def counts_of(dataset: Dataset, target: TargetInfo, atomic_types: Sequence[int]) -> Tensor:
    """[n, n_types] float64, atoms of each element in each sample of ``target``.

    Of a target that is a mean over atoms, their shares; of pairs [1, n_types] zeros.
    """
    if target.per_pair:
        return torch.zeros(1, len(atomic_types), dtype=torch.float64)
    if not target.per_atom:
        counts = dataset.composition(atomic_types)
        return counts / dataset.n_atoms[:, None] if target.is_mean else counts
    numbers = torch.as_tensor(list(atomic_types))
    return (dataset.types[:, None] == numbers[None, :]).to(torch.float64)


def _by_target(option: str, given: Any, info: DatasetInfo) -> Mapping[str, Any]:
    """``given``, checked to be a mapping of targets of the data."""
    where = f"architecture.training.{option}"
    if not isinstance(given, Mapping):
        raise ConfigError(f"{given!r} is not a mapping of targets", where=where)
    for name in given:
        if name not in info.targets:
            raise ConfigError(
                f"no target is called {name!r}",
                where=where,
                hint=did_you_mean(name, info.targets) or f"targets: {', '.join(info.targets)}",
            )
    return given


def _fixed_scale(name: str, value: Any) -> float:
    if not is_finite(value) or value <= 0:
        raise ConfigError(
            f"{value!r} is not a positive number",
            where=f"architecture.training.fixed_scaling_weights.{name}",
            hint="scales per element are not available yet; give one number",
        )
    return float(value)
