"""``mtt check options.yaml``: what the data hide, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np

Mtt = Callable[..., Any]
Write = Callable[..., Any]


def test_what_the_data_hide_is_a_table_for_people_and_json_for_programs(
    mtt: Mtt, write: Write, tiny: dict[str, Any], ethanol: Path, tmp_path: Path
) -> None:
    frames = ase.io.read(ethanol, ":")
    frames[17] = frames[2].copy()
    frames[17].calc = frames[2].calc
    frames[5].calc.results["forces"] = np.zeros((9, 3))
    for atoms in frames:
        atoms.info["REF_energy"] = 1.0 + atoms.positions[0, 0]
    data = tmp_path / "spoilt.xyz"
    ase.io.write(data, frames)
    tiny["training_set"]["systems"]["read_from"] = str(data)
    tiny["validation_set"], tiny["test_set"] = {"indices": [16, 17]}, {"indices": [18, 19]}
    tiny["training_set"]["indices"] = list(range(16))
    write(tiny)

    done = mtt("check", "options.yaml")
    assert done.code == 1
    shown = " ".join(done.out.split())
    for text in (
        "1 structure of validation occurs in training too",
        "frame 17",
        "'REF_energy' (a number per",
        "the data: 1 wrong,",
    ):
        assert text in shown

    (target,) = json.loads(mtt("check", "options.yaml", "--json").out)["targets"]
    assert target["passed"] is False
    found = {one["check"]: one for one in target["findings"]}
    leak = found["leaks between sets"]
    assert set(leak) == {"check", "severity", "what", "where", "number", "unit", "advice"}
    assert leak["severity"] == "wrong"
    assert leak["where"] == [
        {"set": "validation", "file": str(data), "count": 1, "frames": [17]},
        {"set": "training", "file": str(data), "count": 1, "frames": [2]},
    ]
    assert (leak["number"], leak["unit"]) == (50.0, "% of validation")
    assert found["zero labels"]["where"][0]["frames"] == [5]
    assert found["unused keys"]["severity"] == "note"  # another energy is read
