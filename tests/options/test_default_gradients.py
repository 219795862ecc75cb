"""Which energies have forces and stress by default, and under which keys."""

from __future__ import annotations

from typing import Any

import pytest

from mtt.errors import ConfigError
from mtt.options import DatasetOptions, load_eval_options


def options(targets: dict[str, Any]) -> DatasetOptions:
    return load_eval_options({"systems": "a.xyz", "targets": targets})[0]


def keys(targets: dict[str, Any], name: str, gradient: str = "forces") -> list[str]:
    """The keys that are tried, in their order; none where the section is off."""
    section = getattr(options(targets).targets[name], gradient)
    return [] if section is None else [section.key, *section.others]


def test_an_energy_is_what_is_called_so_or_declared_so() -> None:
    named = options(
        {"energy": {}, "energy/pbe": {}, "mtt::U": {}, "mtt::E": {"quantity": "energy"}}
    )
    assert {name: (one.quantity, one.extensive) for name, one in named.targets.items()} == {
        "energy": ("energy", True),
        "energy/pbe": ("energy", True),
        "mtt::U": ("", False),
        "mtt::E": ("energy", True),
    }
    assert options({"mtt::a": {"extensive": True}}).targets["mtt::a"].extensive


def test_a_variant_alone_in_its_file_has_the_forces_of_the_file() -> None:
    assert keys({"energy/pbe": {"key": "energy"}}, "energy/pbe")[0] == "forces"
    assert keys({"energy/pbe": {"key": "energy"}}, "energy/pbe", "stress")[0] == "stress"
    renamed = keys({"energy/pbe": {"key": "PBE_Energy"}}, "energy/pbe")
    assert renamed == ["PBE_Forces", "forces_pbe", "pbe_forces", "forces/pbe", "forces"]
    assert keys({"mtt::E": {"quantity": "energy", "key": "E"}}, "mtt::E") == ["forces"]
    assert keys({"mtt::E": {"quantity": "energy", "forces": False}}, "mtt::E") == []
    assert keys({"mtt::gap": {}}, "mtt::gap") == []


def test_two_energies_of_one_file_do_not_share_their_forces() -> None:
    both = {"energy": {}, "energy/pbe": {"key": "E_pbe"}}
    assert keys(both, "energy") == ["forces"]
    assert "forces" not in keys(both, "energy/pbe")
    elsewhere = {"energy": {}, "energy/pbe": {"key": "E_pbe", "read_from": "b.xyz"}}
    assert "forces" in keys(elsewhere, "energy/pbe")
    claimed = {"energy/a": {"key": "Ea"}, "energy/b": {"key": "Eb", "forces": {"key": "forces"}}}
    assert "forces" not in keys(claimed, "energy/a")
    rivals = {"energy/a": {"key": "energy"}, "energy/b": {"key": "energy"}}
    assert keys(rivals, "energy/a") == ["forces_a", "a_forces", "forces/a"]


def test_default_gradients_are_not_written_out_and_false_is() -> None:
    one = options({"energy/pbe": {"key": False, "forces": {"key": "F"}}})
    written = one.to_dict()["targets"]["energy/pbe"]
    assert written["key"] is False
    assert written["forces"] == {"read_from": "a.xyz", "reader": None, "key": "F"}
    assert not {"stress", "extensive"} & set(written)
    assert load_eval_options(one.to_dict())[0] == one
    charge = options({"mtt::a": {"extensive": True}})
    assert load_eval_options(charge.to_dict())[0] == charge


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"energy": {"key": True}}, "energy.key: expected text, false or null, got true"),
        ({"mtt::x": {"key": False}}, "mtt::x.key: without a key there must be forces"),
        (
            {"energy": {"key": False, "forces": False, "stress": False}},
            "energy.key: without a key there must be forces",
        ),
        ({"energy": {"extensive": False}}, "energy.extensive: an energy is the sum"),
        (
            {"mtt::q": {"sample_kind": "atom", "extensive": True}},
            "mtt::q.extensive: is for values of structures",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(target: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        options(target)
