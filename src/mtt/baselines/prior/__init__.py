"""A classical force field below the network, with its start values."""

from mtt.baselines.prior.model import Prior
from mtt.baselines.prior.start import start_values
from mtt.baselines.prior.topology import Molecules

__all__ = ["Molecules", "Prior", "start_values"]
