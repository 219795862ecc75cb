"""From the loss option to its terms."""

import pytest

from mtt import DatasetInfo, TargetInfo
from mtt.errors import ConfigError
from mtt.training import default_hypers
from mtt.training.terms import make_loss

INFO = DatasetInfo(
    "angstrom",
    [1, 8],
    {
        "energy": TargetInfo.energy(forces=True, stress=True),
        "mtt::charge": TargetInfo(sample_kind="atom"),
    },
)
SCALES = {"energy": 0.5, "mtt::charge": 2.0}


def loss_of(loss, **hypers):
    return make_loss({**default_hypers(), "loss": loss, **hypers}, INFO, SCALES)


FULL = {
    "energy": {
        "type": "huber",
        "weight": 2.0,
        "reduction": "sum",
        "delta": 0.1,
        "gradients": {
            "positions": {"type": "mae", "weight": 3.0, "reduction": "mean"},
            "strain": {"type": "mse", "weight": 0.0, "reduction": "mean"},
        },
    },
    "mtt::charge": {"type": "mse", "weight": 1.0, "reduction": "mean", "gradients": {}},
}


def test_the_full_form_gives_one_term_per_target_and_gradient():
    terms = {term.name: term for term in loss_of(FULL).terms}
    assert list(terms) == ["energy", "energy forces", "energy strain", "mtt::charge"]
    energy, forces = terms["energy"], terms["energy forces"]
    assert (energy.type, energy.weight, energy.reduction, energy.delta) == (
        "huber", 2.0, "sum", 0.1,
    )  # fmt: skip
    assert (forces.type, forces.weight, forces.part) == ("mae", 3.0, "forces")
    assert [term.scale for term in terms.values()] == [0.5, 0.5, 0.5, 2.0]


def test_energies_and_strain_are_per_atom_unless_the_target_is_per_structure():
    assert [term.per_atom for term in loss_of(FULL).terms] == [True, False, True, False]
    terms = loss_of(FULL, per_structure_targets=["energy"]).terms
    assert [term.per_atom for term in terms] == [False] * 4


def test_one_name_is_the_loss_of_everything():
    terms = loss_of("mae").terms
    assert [term.type for term in terms] == ["mae"] * 4
    assert [term.weight for term in terms] == [1.0] * 4


def test_all_mistakes_are_told_at_once():
    wrong = {
        "energy": {"type": "msa", "gradients": {"positions": {"reduction": "median"}}},
        "mtt::charges": {"type": "masked_mse", "weigth": 1.0},
    }
    with pytest.raises(ConfigError) as caught:
        loss_of(wrong, per_structure_targets=["enrgy"])
    text = str(caught.value)
    for part in (
        "loss 'msa' is not available; did you mean 'mse'?",
        "loss.energy.forces: unknown reduction 'median'; mean or sum",
        "loss.energy: the strain gradient has no loss; weight: 0 leaves it out",
        "loss.mtt::charges: the data have no such target; did you mean 'mtt::charge'?",
        "loss.mtt::charge: the target has no loss",
        "unknown option 'weigth'; did you mean 'weight'?",
        "per_structure_targets: no target is called 'enrgy'; did you mean 'energy'?",
    ):
        assert part in text, part


def test_a_loss_of_weights_zero_is_refused():
    zero = {"type": "mse", "weight": 0.0}
    given = {
        "energy": {**zero, "gradients": {"positions": zero, "strain": zero}},
        "mtt::charge": zero,
    }
    with pytest.raises(ConfigError, match="all weights are 0"):
        loss_of(given)
