"""Pairs seen from their other end."""

import ase.build
import numpy as np
import pytest
import torch
from vesin import NeighborList

from mtt.nn import reverse_pairs


def crystal(n_atoms: int) -> ase.Atoms:
    """A skewed cell so small that atoms see many images of each other, and of themselves."""
    cell = [[2.1, 0.0, 0.0], [0.5, 2.3, 0.0], [-0.4, 0.6, 1.9]]
    generator = np.random.default_rng(n_atoms)
    return ase.Atoms("C" * n_atoms, generator.uniform(0, 2, (n_atoms, 3)), cell=cell, pbc=True)


STRUCTURES = {
    "molecule": ase.build.molecule("CH3CH2OH"),
    "one atom in a cell": crystal(1),
    "three atoms in a cell": crystal(3),
    "cubic, images at equal distances": ase.build.bulk("Cu", cubic=True),
}


def pairs_of(atoms: ase.Atoms, cutoff: float = 4.5):
    finder = NeighborList(cutoff=cutoff, full_list=True)
    i, j, vectors = finder.compute(
        points=atoms.positions, box=atoms.cell[:], periodic=atoms.pbc.all(), quantities="ijD"
    )
    order = np.argsort(i, kind="stable")
    parts = (i[order].astype(np.int64), j[order].astype(np.int64), vectors[order])
    return tuple(torch.from_numpy(part) for part in parts)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", STRUCTURES)
def test_each_pair_finds_the_same_one_from_its_other_end(name, dtype):
    i, j, vectors = pairs_of(STRUCTURES[name])
    vectors = vectors.to(dtype)
    reverse = reverse_pairs(i, j, vectors, len(STRUCTURES[name]))
    assert torch.equal(i[reverse], j)
    assert torch.equal(j[reverse], i)
    torch.testing.assert_close(vectors[reverse], -vectors, rtol=0, atol=1e-6)
    assert torch.equal(reverse[reverse], torch.arange(len(i)))


@pytest.mark.parametrize("name", STRUCTURES)
def test_vectors_may_be_opposite_up_to_rounding_and_pairs_in_any_order(name):
    i, j, vectors = pairs_of(STRUCTURES[name])
    exact = reverse_pairs(i, j, vectors, len(STRUCTURES[name]))
    generator = torch.Generator().manual_seed(1)
    noise = 1e-4 * torch.randn(vectors.shape, generator=generator, dtype=torch.float64)
    order = torch.randperm(len(i), generator=generator)
    found = reverse_pairs(
        i[order], j[order], (vectors + noise)[order].float(), len(STRUCTURES[name])
    )
    assert torch.equal(order[found], exact[order])


def test_structures_of_a_batch_are_not_confused():
    frames = list(STRUCTURES.values())
    lists = [pairs_of(one) for one in frames]
    firsts = np.cumsum([0, *(len(one) for one in frames)])
    i = torch.cat([part[0] + int(first) for part, first in zip(lists, firsts, strict=False)])
    j = torch.cat([part[1] + int(first) for part, first in zip(lists, firsts, strict=False)])
    together = reverse_pairs(i, j, torch.cat([part[2] for part in lists]), int(firsts[-1]))
    starts = np.cumsum([0, *(len(part[0]) for part in lists)])
    alone = [
        reverse_pairs(*part, len(one)) + int(start)
        for part, one, start in zip(lists, frames, starts, strict=False)
    ]
    assert torch.equal(together, torch.cat(alone))


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_pair_without_counterpart_is_its_own_and_disturbs_no_other(name):
    i, j, vectors = pairs_of(STRUCTURES[name])
    n_atoms, lost = len(STRUCTURES[name]), 5
    full = reverse_pairs(i, j, vectors, n_atoms)
    kept = torch.arange(len(i)) != full[lost]
    found = reverse_pairs(i[kept], j[kept], vectors[kept], n_atoms)
    places = kept.cumsum(0) - 1
    others = torch.arange(len(i))[kept] != lost
    assert torch.equal(found[others], places[full[kept]][others])
    alone = int(((i == j[lost]) & (j == i[lost])).sum()) == 1
    if alone:  # no image of it either
        assert int(found[places[lost]]) == int(places[lost])


def test_no_pairs_have_no_reverse():
    none = torch.zeros(0, dtype=torch.long)
    assert reverse_pairs(none, none, torch.zeros(0, 3), 4).shape == (0,)


def test_compiled_it_finds_the_same():
    compiled = torch.jit.script(reverse_pairs)
    for name, one in STRUCTURES.items():
        pairs = pairs_of(one)
        expected = reverse_pairs(*pairs, len(one))
        assert torch.equal(compiled(*pairs, len(one)), expected), name
