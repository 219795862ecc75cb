"""Pairs in rows of neighbours."""

import torch

from mtt.nn import lay_out, neighborhoods


def test_every_pair_is_in_the_row_of_its_centre(surroundings):
    centers, _, vectors = surroundings
    rows = torch.randperm(15, generator=torch.Generator().manual_seed(3))
    layout = neighborhoods(centers, rows)
    assert layout.width == int(torch.bincount(centers).max())
    assert layout.slots.unique().shape == centers.shape
    assert torch.equal(layout.slots // layout.width, rows[centers])
    table = lay_out(vectors, layout, fill=9.0).view(15, layout.width, 3)
    for atom in range(15):
        row = table[rows[atom]]
        own = vectors[centers == atom]
        assert torch.equal(row[: len(own)], own)
        assert bool((row[len(own) :] == 9.0).all())


def test_no_pairs_make_rows_without_columns():
    layout = neighborhoods(torch.zeros(0, dtype=torch.long), torch.arange(4))
    assert (layout.n_rows, layout.width) == (4, 0)
    assert lay_out(torch.zeros(0, 3), layout, fill=1.0).shape == (0, 3)


def test_gradients_pass_to_the_pairs(surroundings):
    centers, _, vectors = surroundings
    layout = neighborhoods(centers, torch.arange(15))
    assert torch.autograd.gradcheck(
        lambda v: lay_out(v, layout, fill=2.0), vectors[:, :1].requires_grad_(True)
    )
