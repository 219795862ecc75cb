"""The state of all random generators of a process."""

import random

import numpy as np
import torch

from mtt.checkpoint import read, write
from mtt.ranks import SerialRanks
from mtt.training.numerics.random_state import restore_rng, rng_state

CPU = torch.device("cpu")


def draw():
    return torch.rand(3).tolist(), random.random(), np.random.rand(3).tolist()


def test_random_generators_continue_from_a_state_that_was_stored_in_a_file(tmp_path):
    np.random.randn()  # leaves a second Gaussian in store
    random.gauss(0, 1)
    contents = {
        "model_ckpt_version": 1,
        "architecture_name": "x",
        "rng": rng_state(CPU, SerialRanks()),
    }
    write(tmp_path / "x.ckpt", contents)
    expected, gauss = draw(), (np.random.randn(), random.gauss(0, 1))
    draw()
    restore_rng(read(tmp_path / "x.ckpt")["rng"], CPU, SerialRanks())
    assert draw() == expected
    assert (np.random.randn(), random.gauss(0, 1)) == gauss


def test_a_state_stays_what_it_was_while_numbers_are_drawn():
    state, first = rng_state(CPU, SerialRanks()), draw()
    assert draw() != first
    for _ in range(2):
        restore_rng(state, CPU, SerialRanks())
        assert draw() == first
