"""From the loss option to its terms."""

import pytest

from mtt import DatasetInfo, TargetInfo
from mtt.errors import ConfigError
from mtt.options.training import parse
from mtt.training.losses.from_options import make_loss

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
    return make_loss(parse({"loss": loss, **hypers}), INFO, SCALES)


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


def test_all_mistakes_are_reported_at_once():
    wrong = {
        "energy": {"type": "msa", "gradients": {"positions": {}}},
        "mtt::charges": {"type": "mse"},
    }
    with pytest.raises(ConfigError) as caught:
        loss_of(wrong, per_structure_targets=["enrgy"])
    text = str(caught.value)
    for part in (
        "unknown loss 'msa'; did you mean 'mse'?",
        "loss.energy: the strain gradient has no loss; weight: 0 leaves it out",
        "loss.mtt::charges: the data have no such target; did you mean 'mtt::charge'?",
        "loss.mtt::charge: the target has no loss",
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


def forces_of(section, info=INFO):
    """The loss with ``section`` for the forces alone."""
    zero = {"type": "mse", "weight": 0.0}
    energy = {"type": "mse", "gradients": {"positions": section, "strain": zero}}
    given = {"energy": energy, **({"mtt::charge": zero} if "mtt::charge" in info.targets else {})}
    return make_loss(parse({"loss": given}), info, SCALES)


@pytest.mark.parametrize(
    ("energy", "length", "factor"),
    [("eV", "angstrom", 1.0), ("kcal/mol", "angstrom", 0.0433641), ("Hartree", "bohr", 51.4220671)],
)
def test_huber_forces_takes_its_thresholds_to_the_units_of_the_data(energy, length, factor):
    info = DatasetInfo(length, [1], {"energy": TargetInfo.energy(energy, forces=True, stress=True)})
    forces = forces_of({"type": "huber_forces", "delta": 0.01}, info).terms[1]
    assert forces.to_ev_per_angstrom == pytest.approx(factor, rel=1e-6)
    assert (forces.type, forces.delta) == ("huber_forces", 0.01)


@pytest.mark.parametrize(("energy", "length"), [("", "angstrom"), ("eV", ""), ("", "")])
def test_huber_forces_without_units_is_refused(energy, length):
    info = DatasetInfo(length, [1], {"energy": TargetInfo.energy(energy, forces=True, stress=True)})
    with pytest.raises(ConfigError) as caught:
        forces_of({"type": "huber_forces"}, info)
    assert "loss.energy.forces: huber_forces needs the forces in eV/Å" in str(caught.value)
    assert f"the unit of energy is {energy!r}, the length_unit {length!r}" in str(caught.value)


def test_huber_forces_is_for_forces_alone():
    with pytest.raises(ConfigError, match=r"loss\.energy: huber_forces is for forces; write"):
        loss_of("huber_forces")


def test_masked_losses_are_the_same_losses():
    assert loss_of("masked_huber").terms == loss_of("huber").terms


def test_weights_may_change_by_epoch():
    loss = forces_of({"weight": {0: 1.0, 100: 25.0}})
    assert [loss.at(epoch).terms[1].weight for epoch in (0, 99, 100, 101)] == [1, 1, 25, 25]
    ramp = forces_of({"weight": {0: 1.0, 100: 25.0, "interpolation": "linear"}})
    assert [ramp.at(epoch).terms[1].weight for epoch in (0, 50, 100, 101)] == [1, 13, 25, 25]
    constant = forces_of({"weight": {0: 2.0}})
    assert constant.at(3) is constant
    assert constant.terms[1].weight == 2.0


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (-1.0, r"loss\.energy\.forces\.weight: must be at least 0 and finite, got -1"),
        ({}, r"loss\.energy\.forces\.weight: there is no weight for epoch 0; write"),
        ({10: 1.0}, r"loss\.energy\.forces\.weight: there is no weight for epoch 0; write"),
        ({0: 1.0, 10: "much"}, r"forces\.weight\.10: expected a number, got the text 'much'"),
    ],
)
def test_weights_that_are_none_are_refused(weight, message):
    with pytest.raises(ConfigError, match=message):
        forces_of({"weight": weight})


def test_weights_that_are_all_zero_later_on_are_refused():
    zero = {"type": "mse", "weight": 0.0}
    section = {"type": "mse", "weight": {0: 1.0, 7: 0.0, 9: 1.0}}
    given = {
        "energy": {**section, "gradients": {"positions": zero, "strain": zero}},
        "mtt::charge": zero,
    }
    with pytest.raises(ConfigError, match="all weights are 0 from epoch 7 on"):
        loss_of(given)
