"""Options of SevenNet, and what is said where its package is missing."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
import yaml

from mtt import DatasetInfo, TargetInfo, registry
from mtt.errors import ArchitectureError, ConfigError, MissingPackageError
from mtt.experimental.sevennet import package
from mtt.experimental.sevennet.model import NETWORK, SevenNet
from mtt.options import load_options, resolve

ARCHITECTURE = registry.find("experimental.sevennet").load()
DEFAULTS = ARCHITECTURE.default_hypers["model"]
HERE = find_spec("sevenn") is not None


def info(*types: int, unit: str = "eV", length: str = "angstrom") -> DatasetInfo:
    return DatasetInfo(length, types or (1, 6, 8), {"energy": TargetInfo.energy(unit)})


def resolved(training: dict[str, Any], model: dict[str, Any] | None = None) -> Any:
    systems = {"read_from": "data.xyz", "length_unit": "angstrom"}
    options = {
        "architecture": {
            "name": "experimental.sevennet",
            "model": model or {},
            "training": training,
        },
        "training_set": {"systems": systems, "targets": {"energy": {"unit": "eV"}}},
        "validation_set": 0.1,
        "test_set": 0.1,
    }
    return resolve(load_options(yaml.safe_load(yaml.safe_dump(options))), ARCHITECTURE)


def test_default_options_of_the_network_are_those_of_the_file() -> None:
    assert DEFAULTS["network"] == NETWORK


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pretrained": "7net0"}, "there is no pretrained model '7net0'; did you mean '7net-0'?"),
        ({"modality": "PBE"}, "modality: 7net-0 has no modalities; leave it out"),
        (
            {"pretrained": "7net-mf-0", "modality": "R2SCN"},
            "there is no modality 'R2SCN' in 7net-mf-0; did you mean 'R2SCAN'?",
        ),
        (
            {"network": {**NETWORK, "cutoff": 6.0}},
            "network.cutoff: cutoff is 6.0 here, but 7net-0 decides that; leave it out",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchitectureError) as caught:
        SevenNet({**DEFAULTS, **changed}, info())
    assert message in str(caught.value)


def test_published_weights_are_what_a_training_starts_from() -> None:
    training = resolved({"finetune": {"method": "heads"}}).architecture["training"]
    assert training["finetune"]["read_from"] == "7net-0"
    assert training["finetune"]["method"] == "heads"


def test_another_source_goes_before_the_published_weights() -> None:
    training = resolved({"finetune": {"read_from": "mine.ckpt"}}).architecture["training"]
    assert training["finetune"]["read_from"] == "mine.ckpt"


def test_random_weights_are_not_fine_tuned() -> None:
    assert not resolved({}, {"pretrained": None}).architecture["training"]["finetune"]["read_from"]
    with pytest.raises(ConfigError, match="there is nothing to fine-tune"):
        resolved({"finetune": {"method": "heads"}}, {"pretrained": None})


@pytest.mark.skipif(HERE, reason="sevenn is installed")
@pytest.mark.parametrize("name", ["7net-0", None])
def test_a_missing_package_is_named_with_the_line_that_installs_it(name: str | None) -> None:
    with pytest.raises(MissingPackageError, match=r"sevenn.*not installed; pip install 'mtt\[sev"):
        SevenNet({**DEFAULTS, "pretrained": name}, info())


def test_a_package_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "version", lambda _: "0.9.4")
    with pytest.raises(MissingPackageError, match=r"needs sevenn 0.13, and sevenn 0.9.4 is insta"):
        package.package("checkpoint")  # a network may be known from an earlier test


@pytest.mark.skipif(not HERE, reason="needs sevenn: pip install 'mtt[sevennet]'")
def test_elements_that_the_weights_do_not_know_are_refused_by_name() -> None:
    with pytest.raises(ArchitectureError, match="7net-0 does not know Po, Rn"):
        SevenNet(DEFAULTS, info(1, 84, 86))


@pytest.mark.skipif(not HERE, reason="needs sevenn: pip install 'mtt[sevennet]'")
def test_units_are_needed() -> None:
    with pytest.raises(ArchitectureError, match="7net-0 needs the unit of energy"):
        SevenNet(DEFAULTS, info(unit=""))
    with pytest.raises(ArchitectureError, match="7net-0 needs the length_unit"):
        SevenNet(DEFAULTS, info(length=""))
