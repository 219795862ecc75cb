"""The heads of a model with the platform's part of them."""

from __future__ import annotations

from mtt.mlip.aggregation.readout import Spectrum
from mtt.mlip.model import MLIPModel


def heads_of(model: MLIPModel) -> dict[str, list[str]]:
    """``model.head_modules()``, and the maps of spectra; empty where the model does not say."""
    heads = {name: list(modules) for name, modules in model.head_modules().items()}
    maps = () if model.readout is None else model.readout.maps
    for i, (name, one) in enumerate(zip(model.target_names, maps, strict=False)):
        if heads and isinstance(one, Spectrum):
            heads[name].append(f"readout.maps.{i}")
    return heads
