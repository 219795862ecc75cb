"""What pet has of metatrain's models: transformer layers, and cutoffs of each atom's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import layer_norm, rms_norm

from mtt.architectures.pet.adaptive import AdaptiveCutoff
from mtt.architectures.pet.metatrain_layer import MetatrainLayer
from mtt.architectures.pet.transformer import arrange
from mtt.nn import neighborhoods

CUTOFF, WIDTH, NUMBER = 4.0, 0.8, 5.0
CENTERS = torch.tensor([0] * 9 + [1] * 2 + [3] * 14)  # atom 2 has no neighbours


@pytest.fixture
def lengths() -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return 0.8 + 3.1 * torch.rand(len(CENTERS), generator=generator, dtype=torch.float64)


def adaptive(method: str) -> AdaptiveCutoff:
    return AdaptiveCutoff(
        {
            "cutoff": CUTOFF,
            "cutoff_width_adaptive": WIDTH,
            "num_neighbors_adaptive": NUMBER,
            "adaptive_cutoff_method": method,
        }
    )


def count(lengths: np.ndarray, radius: float) -> float:
    """Of neighbours at these distances, by the formula."""
    s = np.clip((lengths - radius + WIDTH) / WIDTH, 1e-6, 1 - 1e-6)
    return float((0.5 * (1 + np.tanh(1 / np.tan(np.pi * s)))).sum())


def radii_of(method: str, lengths: torch.Tensor) -> torch.Tensor:
    module, layout = adaptive(method), neighborhoods(CENTERS, torch.arange(4))
    start = module.prepare(lengths, CENTERS, layout)
    found: torch.Tensor = module(lengths, CENTERS, layout, start)
    return found


def test_the_solver_finds_where_the_count_is_the_number(lengths: torch.Tensor) -> None:
    radii = radii_of("solver", lengths)
    for atom, radius in enumerate(radii.tolist()):
        own = lengths[atom == CENTERS].numpy()
        total = count(own, radius) + NUMBER * (radius / CUTOFF) ** 3
        assert total == pytest.approx(NUMBER, abs=1e-9)
    assert float(radii[2]) == pytest.approx(CUTOFF)
    assert float(radii[3]) < float(radii[0]) < float(radii[1])


def test_the_grid_averages_radii_by_how_near_their_counts_are(lengths: torch.Tensor) -> None:
    probes = np.arange(0.5, CUTOFF, WIDTH / 4)
    uniform = NUMBER * np.linspace(0, 1, len(probes)) ** 3
    for atom, found in enumerate(radii_of("grid", lengths).tolist()):
        own = lengths[atom == CENTERS].numpy()
        off = np.array([count(own, probe) for probe in probes]) + uniform - NUMBER
        scores = -0.5 * (off / np.maximum(np.abs(np.gradient(off)), 1e-12)) ** 2
        weights = np.exp(scores - scores.max())
        assert found == pytest.approx((weights * probes).sum() / weights.sum(), abs=1e-10)


@pytest.mark.parametrize("method", ["solver", "grid"])
def test_radii_are_differentiable_by_distances(method: str, lengths: torch.Tensor) -> None:
    leaf = lengths.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(radii_of(method, leaf)[3], leaf)
    direction = torch.randn(len(lengths), generator=torch.Generator().manual_seed(0)).double()
    ahead, behind = (radii_of(method, lengths + step * direction)[3] for step in (1e-5, -1e-5))
    expected = float(ahead - behind) / 2e-5
    assert float((slope * direction).sum()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("first", [True, False], ids=["PreLN", "PostLN"])
@pytest.mark.parametrize("d_node", [6, 4], ids=["wide atoms", "atoms as wide as pairs"])
@pytest.mark.parametrize(("norm", "activation"), [("RMSNorm", "SwiGLU"), ("LayerNorm", "SiLU")])
def test_a_layer_is_the_formula(first: bool, d_node: int, norm: str, activation: str) -> None:
    torch.manual_seed(0)
    layer = MetatrainLayer((4, d_node, 5), 2, 1.0, norm, activation, first).double()
    centers = torch.tensor([0, 0, 1])
    tokens = arrange(neighborhoods(centers, torch.arange(2)), centers, torch.zeros(3).double())
    nodes, pairs = torch.randn(2, d_node).double(), torch.randn(3, 4).double()

    def normed(x: torch.Tensor, module: torch.nn.Module) -> torch.Tensor:
        if norm == "LayerNorm":
            return layer_norm(x, [x.shape[1]], module.weight, module.bias)
        return rms_norm(x, [x.shape[1]], module.weight)

    def network(x: torch.Tensor, module: torch.nn.Module) -> torch.Tensor:
        x = module.inward(x)
        if activation == "SwiGLU":
            value, gate = x.chunk(2, dim=1)
            return module.outward(value / (1 + torch.exp(-gate)))
        return module.outward(x / (1 + torch.exp(-x)))

    x = torch.cat([nodes if d_node == 4 else layer.contract(nodes), pairs])
    if first:
        attended = layer.attention(normed(x, layer.norm_tokens), tokens)
        own, between = attended[:2], pairs + attended[2:]
        between = between + network(normed(between, layer.norm_pairs), layer.pair_network)
    else:
        x = normed(x + layer.attention(x, tokens), layer.norm_tokens)
        x = normed(x + network(x, layer.pair_network), layer.norm_pairs)
        own, between = x[:2], x[2:]
    if d_node != 4:
        own = nodes + layer.expand(own)
        own = own + network(normed(own, layer.norm_nodes), layer.node_network)
    for found, expected in zip(layer(nodes, pairs, tokens), (own, between), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
