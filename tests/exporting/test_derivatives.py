"""Derivatives of targets that are not energies are verified too."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Dict, Sequence

import pytest
import torch
from metatomic.torch import ModelMetadata

from mtt import DatasetInfo, Graph, MLIPModel, TargetInfo
from mtt.errors import ArchitectureError
from mtt.exporting import export_model

BOTH = ("positions", "strain")
IRREPS = '{"irreps": [{"o3_lambda": 0, "o3_sigma": 1}, {"o3_lambda": 1, "o3_sigma": 1}]}'
TARGETS = {
    "mtt::mu": TargetInfo(kind='cartesian {"rank": 1}', gradients=BOTH),
    "mtt::q": TargetInfo(kind=f"spherical {IRREPS}", gradients=("positions",)),
    "mtt::gap": TargetInfo(extensive=False, gradients=BOTH),
}


class Vectors(MLIPModel):
    """Sums over pairs: a vector and a number."""

    __supported_targets__: ClassVar[Sequence[str]] = ("scalar", "cartesian", "spherical")
    __supported_devices__: ClassVar[list[str]] = ["cpu"]
    __supported_dtypes__: ClassVar[list[torch.dtype]] = [torch.float32, torch.float64]
    __checkpoint_version__ = 1
    __default_metadata__ = ModelMetadata(name="vectors")

    def __init__(self, hypers: Any, dataset_info: DatasetInfo, metadata: Any = None) -> None:
        super().__init__(hypers, dataset_info, metadata)
        self.cutoff = 4.0
        self.decay = torch.nn.Parameter(torch.tensor(0.7))

    def changed(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors

    def predict(self, graph: Graph) -> Dict[str, torch.Tensor]:
        vectors = self.changed(graph.vectors)
        window = torch.exp(-self.decay * vectors.square().sum(1, keepdim=True))
        charge = (1.0 + graph.types[graph.neighbors].to(window.dtype))[:, None] * window
        pairs = torch.cat([charge, charge * vectors], dim=1)
        zero = pairs.new_zeros(graph.types.shape[0], 4)
        atoms = zero.index_add(0, graph.centers, pairs)
        mu, number = atoms[:, 1:, None], atoms[:, :1]
        return {"mtt::mu": mu, "mtt::q": atoms[:, :, None], "mtt::gap": number}


class OtherSlopes(Vectors):
    """Once compiled: the right values, and half of their derivatives."""

    def changed(self, vectors: torch.Tensor) -> torch.Tensor:
        if torch.jit.is_scripting():
            return 0.5 * (vectors + vectors.detach())
        return vectors


def made(kind: type[MLIPModel], targets: dict[str, TargetInfo]) -> MLIPModel:
    return kind({}, DatasetInfo("angstrom", (1, 6), targets)).double().eval()


def test_right_derivatives_pass(tmp_path: Path) -> None:
    assert export_model(made(Vectors, TARGETS), tmp_path / "model.pt").exists()


def test_wrong_derivatives_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchitectureError, match=r"mtt::mu\.gradient differs by") as refused:
        export_model(made(OtherSlopes, TARGETS), tmp_path / "model.pt")
    for part in ("mtt::mu.strain", "mtt::q.gradient", "mtt::gap.gradient", "mtt::gap.strain"):
        assert f"{part} differs by" in str(refused.value)
    assert "values differs" not in str(refused.value)
    assert not list(tmp_path.iterdir())
