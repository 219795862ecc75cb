"""Printing a model tells what it is: for every architecture that is found."""

import pytest
import torch

from mtt.errors import MissingPackageError
from mtt.registry import discover
from mtt.testing import Subject

# torch's own modules without options of their own, such as activations
PLAIN = "torch.nn.modules"


@pytest.fixture(scope="module", params=sorted(discover()))
def model(request):
    """A model of an architecture with its default options and every baseline it can carry."""
    hypers = Subject(request.param).model_hypers
    subject = Subject(request.param, model_hypers={"zbl": True} if "zbl" in hypers else {})
    try:
        return subject.build()
    except MissingPackageError as error:
        pytest.skip(str(error))


def test_a_model_says_its_cutoff_elements_targets_and_precision(model):
    text = repr(model)
    for cutoff in {options.cutoff for options in model.requested_neighbor_lists()}:
        assert f"{cutoff:.4g}" in text
    assert "atomic_types=[1, 6, 8]" in text
    assert "targets=['energy']" in text
    assert str(torch.get_default_dtype()) in text


def test_a_model_says_all_its_options(model):
    assert all(f"{key}={value!r}" in repr(model) for key, value in model.hypers.items())


def test_every_part_of_a_model_says_something(model):
    silent = [
        name
        for name, part in model.named_modules()
        if not (part.extra_repr() or any(True for _ in part.children()))
        and not type(part).__module__.startswith(PLAIN)
    ]
    assert not silent


def test_layers_say_their_widths(model):
    """The last dimension of every parameter stands in the text of the layer that holds it."""
    for name, part in model.named_modules():
        for key, parameter in part.named_parameters(recurse=False):
            if parameter.dim() > 0:
                assert str(parameter.shape[-1]) in repr(part), f"{name}.{key}"
