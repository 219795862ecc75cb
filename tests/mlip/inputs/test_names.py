"""Which inputs a model takes: what its class declares, and the data have."""

from __future__ import annotations

import pytest

from mtt import DatasetInfo, TargetInfo
from mtt.errors import ArchitectureError
from mtt.mlip.inputs.names import checked_inputs, engine_name, own_name, requested

ALL = ("charge", "spin_multiplicity", "number", "number per atom")
EXTRA = {
    "temperature": TargetInfo(),
    "site": TargetInfo(sample_kind="atom"),
    "field": TargetInfo(properties=3),
    "charge": TargetInfo(sample_kind="atom"),
}


def info(**extra: TargetInfo) -> DatasetInfo:
    return DatasetInfo("angstrom", (1,), {"energy": TargetInfo.energy()}, extra)


def test_inputs_are_of_structures_or_of_atoms_as_the_data_say() -> None:
    found = checked_inputs(
        "Model", ALL, ["spin_multiplicity", "site", "temperature"], info(**EXTRA)
    )
    assert found == {"spin_multiplicity": False, "site": True, "temperature": False}
    assert checked_inputs("Model", (), [], info()) == {}


@pytest.mark.parametrize(
    ("supported", "name", "message"),
    [
        ((), "charge", "Model takes structures alone, not charge"),
        (("charge",), "spin_multiplicity", "does not take spin_multiplicity; it takes: charge"),
        (ALL, "temprature", "extra_data has no temprature.*did you mean 'temperature'"),
        (ALL, "pressure", r"no pressure.*write extra_data: \{pressure: \{key: \.\.\.\}\}"),
        (ALL, "field", r"field has the shape \[3\].*an input is one number"),
        (ALL, "charge", "charge is not one number for each structure.*sample_kind: system"),
        (ALL, "mtt::temperature", "does not begin with mtt::.*write temperature in inputs"),
        (("number",), "site", r"does not take numbers of each atom \(site\)"),
        (("number per atom",), "temperature", r"numbers of each structure \(temperature\)"),
    ],
)
def test_other_inputs_are_refused(supported: tuple[str, ...], name: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        checked_inputs("Model", supported, [name], info(**EXTRA))


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(ArchitectureError) as error:
        checked_inputs("Model", ALL, ["a", "field"], info(**EXTRA))
    assert len(error.value.problems) == 2


def test_engines_are_asked_by_names_that_they_know() -> None:
    inputs = {"charge": False, "temperature": False, "site": True}
    names = ["charge", "ase::info::temperature", "ase::arrays::site"]
    asked = requested(inputs)
    assert list(asked) == names
    assert [one.sample_kind for one in asked.values()] == ["system", "system", "atom"]
    assert asked["charge"].unit == "e"
    assert [own_name(one) for one in names] == ["charge", "temperature", "site"]
    assert engine_name("temperature", True) == "ase::arrays::temperature"
