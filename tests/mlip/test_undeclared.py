"""What outputs cannot declare of targets is in the metadata of an exported model."""

from __future__ import annotations

from typing import Any

import ase
import pytest
from metatomic.torch import ModelMetadata

from mtt import Dataset, DatasetInfo, TargetInfo
from mtt.errors import DataError
from mtt.evaluation import evaluate
from mtt.evaluation.outputs import model_info
from mtt.mlip.undeclared import stored_unit, with_undeclared

TARGETS = {"mtt::mu": TargetInfo(unit="e·Å"), "mtt::q": TargetInfo(unit="e", sample_kind="atom")}


def test_only_units_that_cannot_be_declared_are_stored() -> None:
    metadata = with_undeclared(ModelMetadata(name="m", extra={"a": "b"}), TARGETS)
    assert dict(metadata.extra) == {"a": "b", "unit of mtt::mu": "e·Å"}
    assert stored_unit(metadata, "mtt::mu", "") == "e·Å"
    assert stored_unit(metadata, "mtt::q", "e") == "e"
    assert stored_unit(metadata, "mtt::q", "") == ""


def test_an_exported_model_scores_in_such_a_unit_and_refuses_another(
    two_targets: Any, ethanol: ase.Atoms
) -> None:
    model = two_targets({}, DatasetInfo("angstrom", (1, 6, 8), TARGETS)).double()
    exported = model.export()
    assert model_info(exported).targets["mtt::mu"].unit == "e·Å"
    ethanol.info["mu"] = 1.0
    target = {"key": "mu", "unit": "e·Å"}
    rows = {}
    for one in (model, exported):
        report = evaluate(one, Dataset.from_atoms([ethanol], {"mtt::mu": target}))
        rows[id(one)] = [(row.quantity, row.unit, round(row.rmse, 9)) for row in report.rows]
    assert rows[id(model)] == rows[id(exported)]
    assert rows[id(model)][0][:2] == ("mtt::mu", "e·Å")
    other = Dataset.from_atoms([ethanol], {"mtt::mu": {**target, "unit": "D"}})
    with pytest.raises(DataError, match="unit is 'D' in the data and 'e·Å' in the model; nothing"):
        evaluate(exported, other)
