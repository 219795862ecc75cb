"""Model options that the platform has for every architecture on its base class."""

import pytest

from mtt.errors import ConfigError
from mtt.mlip import MLIPModel
from mtt.options import load_options, resolve


@pytest.fixture
def toy(toy):
    class Model(MLIPModel):
        __supported_dtypes__ = ("torch.float64",)

    toy.model = Model
    return toy


def options(toy, model):
    content = {
        "architecture": {"name": toy.name, "model": model},
        "training_set": "a.xyz",
        "validation_set": 0.1,
        "test_set": 0.1,
    }
    return resolve(load_options(content), toy)


PRIOR = {"topology": {"from": "connectivity"}, "bonds": {"C-H": {"k": 20.0, "r0": 1.1}}}


def test_a_prior_is_accepted_whatever_the_schema_of_the_folder_says(toy):
    assert options(toy, {"prior": PRIOR}).architecture["model"]["prior"] == PRIOR


@pytest.mark.parametrize("model", [{}, {"prior": None}])
def test_options_that_are_not_set_leave_no_trace(toy, model):
    assert options(toy, model).architecture["model"].keys() == {"cutoff", "width", "layers", "bits"}


def test_a_folder_can_have_a_prior_by_default(toy):
    toy.default_hypers["model"]["prior"] = PRIOR
    assert options(toy, {}).architecture["model"]["prior"] == PRIOR
    found = options(toy, {"prior": {"trainable": False}}).architecture["model"]["prior"]
    assert found == {**PRIOR, "trainable": False}


def test_a_folder_without_schema_is_checked_too(toy):
    toy.schema = None
    with pytest.raises(ConfigError, match=r"architecture.model.prior.bonds.C-H.k: must be above 0"):
        options(toy, {"prior": {"bonds": {"C-H": {"k": -1.0, "r0": 1.0}}}})


def test_architectures_on_their_own_have_no_prior(own_toy, toy):
    toy.model = own_toy.model
    with pytest.raises(ConfigError, match=r"architecture.model.prior: unknown key"):
        options(toy, {"prior": PRIOR})


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"priro": PRIOR}, r"architecture.model.priro: unknown key; did you mean 'prior'"),
        ({"prior": {"bond": {}}}, r"prior.bond: unknown key; did you mean 'bonds'"),
        ({"prior": {"bonds": {"C-H": {"k": 1.0}}}}, r"bonds.C-H.r0: missing key"),
        ({"prior": {"bonds": "all"}}, r"prior.bonds: expected .*invert"),
        ({"prior": {"topology": {"from": "magic"}}}, r"topology.from: expected one of 'connectiv"),
        ({"prior": {"dihedral_order": 5}}, r"dihedral_order: must be at most 4, got 5"),
        ({"prior": {"trainable": "no!"}}, r"prior.trainable: expected true or false"),
    ],
)
def test_mistakes_are_reported_by_their_key(toy, model, message):
    with pytest.raises(ConfigError, match=message):
        options(toy, model)
