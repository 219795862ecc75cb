"""``mtt check options.yaml --fit``: labels against a model that is fitted to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io

Mtt = Callable[..., Any]
Write = Callable[..., Any]


def test_a_fit_says_what_it_is_and_what_disagrees_with_it(
    mtt: Mtt, write: Write, tiny: dict[str, Any], ethanol: Path, tmp_path: Path
) -> None:
    frames = ase.io.read(ethanol, ":")
    frames[9].calc.results["energy"] += 30.0  # eV
    data = tmp_path / "spoilt.xyz"
    ase.io.write(data, frames)
    tiny["training_set"]["systems"]["read_from"] = str(data)
    write(tiny)

    done = mtt("check", "options.yaml", "--fit", "--json")
    (target,) = json.loads(done.out)["targets"]
    found = {one["check"]: one for one in target["findings"]}
    assert "was fitted to energy in" in found["fit"]["what"]
    assert found["fit"]["severity"] == "fine"
    (place,) = found["outliers of a fit"]["where"]
    assert place["frames"] == [9]

    plain = json.loads(mtt("check", "options.yaml", "--json").out)["targets"][0]["findings"]
    assert not [one for one in plain if "fit" in one["check"]]


def test_a_fit_is_for_options_files(mtt: Mtt) -> None:
    done = mtt("check", "soap_bpnn", "--fit")
    assert done.code == 1
    assert "--fit" in done.err
    assert "is for options files" in done.err
