"""The heads of a model with the platform's part of them."""

from __future__ import annotations

from mtt.mlip.model import MLIPModel


def heads_of(model: MLIPModel) -> dict[str, list[str]]:
    """``model.head_modules()``, and the maps of spectra; empty where the model does not say."""
    heads = {name: list(modules) for name, modules in model.head_modules().items()}
    for k, name in enumerate(model.readout.mapped if heads else ()):
        heads[name].append(f"readout.maps.{k}")
    return heads
