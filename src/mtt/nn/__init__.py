"""Building blocks for authors of architectures, in plain torch and TorchScript-able.

Constants of a block follow the dtype of the model without losing precision; sums over
neighbours are matrix products, so that results do not depend on the order of threads.
"""

from mtt.harmonics import coupling, generators
from mtt.nn.build import building
from mtt.nn.by_species import rows_by_species
from mtt.nn.conditioning import Conditioning
from mtt.nn.constant import Constant
from mtt.nn.cutoff import SmoothCutoff
from mtt.nn.neighborhoods import (
    Neighborhoods,
    lay_out,
    layout_of,
    layout_tensors,
    neighborhoods,
)
from mtt.nn.pair_basis import PairBasis
from mtt.nn.radial import LaplacianEigenstates
from mtt.nn.reverse import reverse_pairs
from mtt.nn.silu import silu
from mtt.nn.soap import SoapPowerSpectrum
from mtt.nn.species import (
    SpeciesLinear,
    SpeciesNormLinear,
    SpeciesOrder,
    order_of,
    order_tensors,
    sort_by_species,
    with_known_species,
)
from mtt.nn.spherical import SphericalHarmonics

__all__ = [
    "Conditioning",
    "Constant",
    "LaplacianEigenstates",
    "Neighborhoods",
    "PairBasis",
    "SmoothCutoff",
    "SoapPowerSpectrum",
    "SpeciesLinear",
    "SpeciesNormLinear",
    "SpeciesOrder",
    "SphericalHarmonics",
    "building",
    "coupling",
    "generators",
    "lay_out",
    "layout_of",
    "layout_tensors",
    "neighborhoods",
    "order_of",
    "order_tensors",
    "reverse_pairs",
    "rows_by_species",
    "silu",
    "sort_by_species",
    "with_known_species",
]
