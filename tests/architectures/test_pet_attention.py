"""The parts of pet: attention with weights, its norm, and cutoff functions."""

import math

import pytest
import torch

from mtt.architectures.pet.cutoff import LogCutoff
from mtt.architectures.pet.transformer import Attention, RMSNorm, arrange
from mtt.nn import neighborhoods


def test_attention_is_the_formula_with_weights():
    torch.manual_seed(0)
    attention = Attention(6, 2, temperature=1.5).double()
    centers = torch.tensor([0, 0, 0, 2])  # atom 1 has no neighbours
    weights = torch.tensor([1.0, 0.4, 0.01, 0.7], dtype=torch.float64)
    layout = neighborhoods(centers, torch.arange(3))
    x = torch.randn(7, 6, dtype=torch.float64)  # three atoms, then four pairs
    found = attention(x, arrange(layout, centers, weights.log()))
    q, k, v = attention.inward(x).split(6, dim=1)
    for members in ([0, 3, 4, 5], [1], [2, 6]):  # an atom, then its pairs
        f = torch.cat([torch.ones(1).double(), weights[[m - 3 for m in members[1:]]]])
        heads = []
        for part in (slice(0, 3), slice(3, 6)):
            scores = q[members, part] @ k[members, part].T / (1.5 * math.sqrt(3))
            raw = f * scores.exp()
            heads.append(raw / raw.sum(dim=1, keepdim=True) @ v[members, part])
        expected = attention.outward(torch.cat(heads, dim=1))
        torch.testing.assert_close(found[members], expected)


@pytest.mark.parametrize("kind", ["Bump", "Cosine"])
def test_a_token_at_the_cutoff_counts_as_if_it_were_not_there(kind):
    torch.manual_seed(0)
    attention = Attention(4, 1, 1.0).double()
    lengths = torch.tensor([1.0, 3.0, 1.4], dtype=torch.float64)
    centers = torch.tensor([0, 0, 1])
    log_weights = LogCutoff(3.0, 0.5, kind)(lengths)
    x = 3 * torch.randn(5, 4, dtype=torch.float64)

    def attended(pairs: list[int]) -> torch.Tensor:
        layout = neighborhoods(centers[pairs], torch.arange(2))
        tokens = arrange(layout, centers[pairs], log_weights[pairs])
        return attention(x[[0, 1, *(2 + p for p in pairs)]], tokens)

    with_it, without = attended([0, 1, 2]), attended([0, 2])
    torch.testing.assert_close(with_it[[0, 1, 2, 4]], without, rtol=0, atol=1e-13)


def test_norm_is_that_of_torch():
    x = torch.randn(5, 8, dtype=torch.float64)
    norm = RMSNorm(8).double()
    torch.nn.init.normal_(norm.weight)
    expected = torch.nn.functional.rms_norm(x, [8], norm.weight, 1e-6)
    torch.testing.assert_close(norm(x), expected, rtol=0, atol=1e-14)


def test_cutoff_functions_are_the_formulas():
    r = torch.linspace(2.6, 2.99, 40, dtype=torch.float64)
    t = (r - 2.5) / 0.5
    bump, cosine = (LogCutoff(3.0, 0.5, kind)(r).exp() for kind in ("Bump", "Cosine"))
    torch.testing.assert_close(bump, 0.5 * (1 + torch.tanh(1 / torch.tan(math.pi * t))))
    torch.testing.assert_close(cosine, 0.5 * (1 + torch.cos(math.pi * t)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["Bump", "Cosine"])
def test_cutoff_functions_end_without_a_step_and_stay_finite(kind, dtype):
    ends = [0.5, 2.5, 2.5 + 1e-6, 3.0 - 1e-6, 3.0, 3.0 + 1e-6, 4.0]
    r = torch.tensor(ends, dtype=dtype, requires_grad=True)
    values = LogCutoff(3.0, 0.5, kind)(r)
    (slopes,) = torch.autograd.grad(values.exp().sum(), r, create_graph=True)
    (second,) = torch.autograd.grad(slopes.sum(), r)
    expected = torch.tensor([1, 1, 1, 0, 0, 0, 0], dtype=dtype)
    torch.testing.assert_close(values.detach().exp(), expected, rtol=0, atol=1e-10)
    assert float(slopes.detach().abs().max()) < 1e-4
    assert all(bool(part.isfinite().all()) for part in (values, slopes, second))
    if kind == "Bump":
        assert float(second.abs().max()) < 1e-10
