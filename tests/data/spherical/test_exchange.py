"""Matrices between functions of two atoms, once the atoms have changed places."""

from __future__ import annotations

import json

import pytest
import torch

from mtt.data import kinds
from mtt.data.target_kind import TargetKind
from mtt.harmonics import coupling

S2, P1 = {"o3_lambda": 0, "num": 2}, {"o3_lambda": 1, "num": 1}


def kind_of(product: str, irreps: object) -> TargetKind:
    return kinds.of(f"spherical {json.dumps({'irreps': irreps, 'product': product})}").for_pairs()


@pytest.mark.parametrize("product", ["cartesian", "coupled"])
def test_exchange_comes_back(product: str) -> None:
    kind = kind_of(product, {1: [S2], 8: [S2, P1]})
    assert kind.size == (2 + 5) ** 2
    assert kinds.of(kind.text) == kind
    for place, (other, sign) in enumerate(kind.exchange):
        assert kind.exchange[other] == (place, sign)


def test_the_products_of_two_functions_are_exchanged_as_the_functions_are() -> None:
    generator = torch.Generator().manual_seed(1)
    x, y = (torch.randn(3, dtype=torch.float64, generator=generator) for _ in range(2))
    kind = kind_of("coupled", [P1])

    def value(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.einsum("abm,a,b->m", coupling(1, 1, l), first, second)
                          for l in range(3)])  # fmt: skip

    assert [block.key for block in kind.blocks] == [(0, 1), (1, -1), (2, 1)]
    places, signs = torch.tensor(kind.exchange).T
    torch.testing.assert_close(value(y, x), signs * value(x, y)[places])


def test_the_block_of_the_other_pair_is_the_transpose() -> None:
    kind = kind_of("cartesian", {1: [{"o3_lambda": 0, "num": 1}], 8: [P1]})
    names = [block.key[4:] for block in kind.blocks]
    assert names == [(1, 1), (1, 8), (8, 1), (8, 8)]
    assert kind.exchange[1:7] == ((4, 1), (5, 1), (6, 1), (1, 1), (2, 1), (3, 1))
    matrix = torch.arange(9).reshape(3, 3)
    assert [place - 7 for place, _ in kind.exchange[7:]] == matrix.T.flatten().tolist()


def test_irreps_of_each_element_need_a_product_to_be_of_pairs() -> None:
    kind = kinds.of('spherical {"irreps": {"1": [{"o3_lambda": 0}]}}')
    with pytest.raises(ValueError, match="irreps of each element need a product"):
        kind.for_pairs()
    vector = kinds.of('cartesian {"rank": 2}')
    assert vector.for_pairs() is vector
    assert vector.exchange[1] == (3, 1)
