"""From the numbers of a network, one row per atom, to those of a structure."""

from mtt.mlip.aggregation.pool import with_logits
from mtt.mlip.aggregation.readout import Readout
from mtt.mlip.aggregation.seen import BuiltForNetwork, labels_info

__all__ = ["BuiltForNetwork", "Readout", "labels_info", "with_logits"]
