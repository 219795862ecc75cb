"""A target as a model sees it, from its options."""

from __future__ import annotations

from mtt.data import kinds
from mtt.data.info import TargetInfo
from mtt.data.target_kind import TargetKind
from mtt.options.aggregation import rank_of
from mtt.options.values import TargetOptions


def target_info(options: TargetOptions, gradients: tuple[str, ...] = ()) -> TargetInfo:
    """The options of a target as a model sees them."""
    return TargetInfo(
        quantity=options.quantity,
        unit=options.unit,
        sample_kind=options.sample_kind,
        kind=_kind_of(options).text,
        properties=options.num_subtargets,
        gradients=gradients,
        strain_name="virial" if options.virial is not None else "stress",
        description=options.description,
        extensive=options.extensive or options.sample_kind != "system",
        aggregation=options.aggregation,
        rank=rank_of(options.readout_rank, options.num_subtargets, options.kind),
        exchange=options.exchange,
    )


def _kind_of(options: TargetOptions) -> TargetKind:
    kind = kinds.of(options.kind)
    return kind.for_pairs() if options.sample_kind == "atom_pair" else kind
