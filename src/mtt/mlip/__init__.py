"""Base classes for authors of energy models: the graph, the model, one-gradient forces."""

from mtt.mlip.model import MLIPModel

__all__ = ["MLIPModel"]
