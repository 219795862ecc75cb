"""Base classes for authors of energy models: the graph, the model, one-gradient forces."""

from mtt.mlip.linear import Columns, LinearMLIPModel
from mtt.mlip.model import MLIPModel
from mtt.mlip.support import check_parts

__all__ = ["Columns", "LinearMLIPModel", "MLIPModel", "check_parts"]
