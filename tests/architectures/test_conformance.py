"""Every architecture that is found keeps the promises of all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtt import DatasetInfo, TargetInfo, registry
from mtt.errors import MissingPackageError
from mtt.testing import CHECKS, NAMES, ArchitectureTests, Check, Subject, check_exceptions, run
from mtt.testing.suite import show

FOLDERS = [Path(__file__).parent.parent / "resources" / "architectures"]
FOUND = registry.discover(FOLDERS)

# laid over the defaults: what is true of a small model is true of a large one, later
SMALL: dict[str, dict[str, Any]] = {
    "soap_bpnn": {
        "soap": {"max_angular": 2, "max_radial": 2},
        "bpnn": {"num_neurons_per_layer": 4},
    },
    "pet": {
        **dict.fromkeys(("d_pet", "d_node", "d_head", "d_feedforward"), 8),
        "cutoff": 3.5,
        "num_heads": 2,
        "num_attention_layers": 1,
    },
    "density_messages": {
        **dict.fromkeys(("num_channels", "num_features", "num_radial"), 4),
        "cutoff": 3.5,
        "cutoff_width": 2.0,
        "max_angular": 2,
        "num_layers": 2,
    },
    "experimental.linear_ace": {"max_radial": 4, "max_angular": 2, "features": 40},
    "experimental.sevennet": {
        "pretrained": None,
        "network": {"channels": 4, "layers": 3, "radial_width": 8, "cutoff": 3.5},
    },
}
SUBJECTS: dict[str, Subject] = {}


ABSENT: dict[str, str] = {}


def subject(name: str) -> Subject:
    """Its models are built once; skips where a package that it needs is not installed."""
    if name not in SUBJECTS:
        SUBJECTS[name] = Subject(FOUND[name].load(), model_hypers=SMALL.get(name))
        check_exceptions(SUBJECTS[name], NAMES)
        try:
            SUBJECTS[name].build()
        except MissingPackageError as error:
            ABSENT[name] = str(error)
    if name in ABSENT:
        pytest.skip(ABSENT[name])
    return SUBJECTS[name]


def test_there_are_architectures_inside_and_outside_of_the_package() -> None:
    states = {found.state for found in FOUND.values()}
    assert {"stable", "external"} <= states
    assert set(SMALL) <= set(FOUND)


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize("check", CHECKS, ids=NAMES)
def test_an_architecture_keeps_its_promises(name: str, check: Check) -> None:
    show(run(check, subject(name)))


class TestSoapBPNNWithRepulsion(ArchitectureTests):
    """The base class's ZBL, whose cutoff is not that of the network."""

    architecture = "soap_bpnn"
    model_hypers = {
        "zbl": True,
        "soap": {"max_angular": 1, "max_radial": 1, "cutoff": {"radius": 2.5}},
        "bpnn": {"num_neurons_per_layer": 4},
    }


class TestSoapBPNNWithSeveralTargets(ArchitectureTests):
    """An energy, its variant, and a number for each atom; in other elements and units."""

    architecture = "soap_bpnn"
    model_hypers = {
        # triple products of densities, pseudoscalars, are zero for fewer than three of them
        "soap": {"max_angular": 1, "max_radial": 2},
        "bpnn": {"num_neurons_per_layer": 4},
        "heads": {"energy/low": "mlp"},
    }
    dataset_info = DatasetInfo(
        "angstrom",
        (3, 16),
        {
            "energy": TargetInfo.energy("kcal/mol", forces=True),
            "energy/low": TargetInfo.energy("kcal/mol"),
            "mtt::charge": TargetInfo(unit="e", sample_kind="atom"),
        },
    )
