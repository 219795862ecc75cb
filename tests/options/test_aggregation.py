"""The options ``aggregation`` and ``readout_rank`` of a target."""

from __future__ import annotations

from typing import Any

import pytest

from mtt.data.tensor_files.declared import target_info
from mtt.errors import ConfigError
from mtt.options import load_eval_options
from mtt.options.aggregation import rank_of
from mtt.options.values import TargetOptions


def read(**target: Any) -> TargetOptions:
    section = {"systems": "a.xyz", "targets": {"mtt::gap": target}}
    (dataset,) = load_eval_options(section)
    (again,) = load_eval_options(dataset.to_dict())
    assert again == dataset
    return dataset.targets["mtt::gap"]


@pytest.mark.parametrize("name", ["sum", "mean", "max", "learned", None])
def test_an_aggregation_says_whether_values_are_sums(name: str | None) -> None:
    options = read(aggregation=name)
    assert options.extensive == (name == "sum")
    info = target_info(options)
    assert info.pooling == (name or "mean")
    assert info.has_constant == (name in (None, "max", "learned"))


def test_a_tensor_may_be_a_mean() -> None:
    info = target_info(read(aggregation="mean", type={"cartesian": {"rank": 1}}))
    assert info.pooling == "mean"
    assert target_info(read(type={"cartesian": {"rank": 1}})).pooling == "sum"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"aggregation": "median"}, "median"),
        ({"aggregation": "max", "sample_kind": "atom"}, "is for values of structures"),
        ({"aggregation": "mean", "quantity": "energy"}, "an energy is the sum of the energies"),
        ({"aggregation": "mean", "extensive": True}, "mean contradicts extensive: true"),
        ({"aggregation": "sum", "extensive": False}, "sum contradicts extensive: false"),
        ({"aggregation": "learned", "type": {"cartesian": {"rank": 1}}}, "learned is for scalars"),
        ({"readout_rank": "many"}, "unknown rank 'many'"),
        ({"readout_rank": 0}, "readout_rank"),
        ({"readout_rank": 40, "num_subtargets": 40}, "a rank of 40 saves nothing"),
        ({"readout_rank": 2, "type": {"cartesian": {"rank": 1}}}, "is for scalars, not for"),
    ],
)
def test_contradictions_are_refused(target: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(**target)


def test_the_rank_of_long_spectra_is_automatic() -> None:
    ranks = {n: target_info(read(num_subtargets=n)).rank for n in (1, 512, 513, 4000)}
    assert ranks == {1: 0, 512: 0, 513: 64, 4000: 64}
    assert target_info(read(num_subtargets=4000, readout_rank="full")).rank == 0
    assert target_info(read(num_subtargets=40, readout_rank=7)).rank == 7
    assert rank_of("auto", 4000, 'cartesian {"rank": 1}') == 0
