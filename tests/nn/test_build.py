"""One seed and one precision for the outermost build, and nothing left behind."""

import random
import threading

import numpy as np
import pytest
import torch

from mtt.nn import SpeciesLinear, building


def generators():
    """The states of all global generators, and the default precision."""
    numpy = np.random.get_state()
    return (
        random.getstate(),
        (numpy[1].tolist(), *numpy[2:]),
        torch.get_rng_state().tolist(),
        torch.get_default_dtype(),
    )


def weights(seed=3, dtype=torch.float64):
    with building(seed, dtype):
        return torch.cat([SpeciesLinear(2, 3, 4).weight.flatten(), torch.rand(5)]).detach()


def test_the_same_seed_gives_the_same_weights():
    first = weights()
    torch.rand(3)  # what happened before does not count
    assert torch.equal(weights(), first)
    assert not torch.equal(weights(seed=4), first)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_parameters_have_the_precision_asked_for(dtype):
    assert weights(dtype=dtype).dtype == dtype


def test_python_and_numpy_follow_the_seed_too():
    def draw():
        with building(2**40 + 1, torch.float32):
            return random.random(), np.random.rand()

    assert draw() == draw()


def test_global_generators_and_default_dtype_are_untouched():
    before = generators()
    weights()
    assert generators() == before


def test_an_error_inside_restores_everything():
    before = generators()
    with pytest.raises(ZeroDivisionError), building(1, torch.float64):
        torch.rand(3)
        random.random()
        raise ZeroDivisionError
    assert generators() == before
    assert torch.equal(weights(), weights())  # and the next block is an outermost one


def test_a_dtype_that_cannot_be_is_refused_and_nothing_changes():
    before = generators()
    with pytest.raises(TypeError), building(1, torch.int64):
        pass
    assert generators() == before


def test_a_block_within_a_block_has_no_effect():
    with building(3, torch.float64):
        with building(99, torch.float32):
            inner = torch.rand(4)
        after = torch.rand(4)
    with building(3, torch.float64):
        both = torch.rand(8)
    assert torch.equal(torch.cat([inner, after]), both)


def test_threads_build_one_after_the_other():
    expected, found = weights(), []

    def work():
        found.append(weights())

    before = generators()
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(torch.equal(one, expected) for one in found)
    assert generators() == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_generators_are_seeded_and_restored():
    torch.cuda.init()
    before = torch.cuda.get_rng_state()
    with building(3, torch.float32):
        first = torch.rand(4, device="cuda")
    assert torch.equal(torch.cuda.get_rng_state(), before)
    with building(3, torch.float32):
        assert torch.equal(torch.rand(4, device="cuda"), first)
