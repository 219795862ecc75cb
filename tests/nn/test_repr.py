"""Printing a block tells what decides its behaviour."""

import inspect

import pytest
import torch

import mtt.nn
from mtt.nn import (
    Conditioning,
    Constant,
    LaplacianEigenstates,
    PairBasis,
    SmoothCutoff,
    SoapPowerSpectrum,
    SpeciesLinear,
    SpeciesNormLinear,
    SphericalHarmonics,
)

BLOCKS = {
    Conditioning(8, {"charge": False, "temperature": False}): ["'charge'", "'temperature'", "8"],
    Constant(torch.zeros(3, 4)): ["3", "4"],
    SmoothCutoff(5.0, 0.7): ["cutoff=5.0", "width=0.7"],
    LaplacianEigenstates(4.5, 2, 1): ["cutoff=4.5", "n_per_l=[3, 2]"],
    SphericalHarmonics(3): ["l_max=3"],
    PairBasis(4.5, 0.6, 3, 5, 0.5): ["cutoff=4.5", "width=0.6", "l_max=3", "decay=0.5"],
    SoapPowerSpectrum(4.5, 0.6, 2, 1, n_types=7): ["cutoff=4.5", "width=0.6", "n_types=7"],
    SpeciesLinear(3, 11, 13): ["11", "13", "n_types=3"],
    SpeciesNormLinear(3, 11, 13): ["11", "13", "n_types=3"],
}


def test_every_public_block_is_looked_at_here():
    public = [getattr(mtt.nn, name) for name in mtt.nn.__all__]
    modules = {p for p in public if inspect.isclass(p) and issubclass(p, torch.nn.Module)}
    assert modules == {type(block) for block in BLOCKS}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: type(block).__name__)
def test_a_block_says_what_decides_its_behaviour(block):
    assert all(word in repr(block) for word in BLOCKS[block])


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: type(block).__name__)
def test_every_part_of_a_block_says_something(block):
    silent = [name for name, part in block.named_modules() if not told(part)]
    assert not silent


def told(part):
    return bool(part.extra_repr()) or any(True for _ in part.children())
