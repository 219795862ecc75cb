"""A package of the manual adds one thing of every kind, and a training uses them all."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ase.io
import pytest
import torch

from mtt.discovery import KINDS, LOSSES, TARGET_KINDS
from mtt.errors import ConfigError, DataError
from mtt.options import load_options, resolve
from mtt.registry import find
from mtt.training.losses.kind import load_loss
from mtt.workflows.run.folder import RunFolder

Fit = Callable[..., RunFolder]
PACKAGE = "my_package"


@pytest.fixture
def package(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package of the page on extensions, installed; its folder."""
    page = (root / "docs" / "src" / "extending.md").read_text(encoding="utf-8")
    site = tmp_path / "site"
    folder, info = site / PACKAGE, site / "my_package-1.0.dist-info"
    folder.mkdir(parents=True)
    info.mkdir()
    (folder / "__init__.py").write_text("")
    for name, text in re.findall(r"```python\n# my_package/(\w+)\.py\n(.*?)```", page, re.DOTALL):
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    (toml,) = re.findall(r":caption: pyproject.toml\n\n(.*?)```", page, re.DOTALL)
    points = re.sub(r'\[project\.entry-points\."(.*?)"\]', r"[\1]", toml).replace('"', "")
    (info / "entry_points.txt").write_text(points)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(site))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def options(tiny: dict[str, Any], ethanol: Path, here: Path) -> dict[str, Any]:
    """A training with everything of the package."""
    with open(here / "train.jsonl", "w", encoding="utf-8") as file:
        for atoms in ase.io.read(ethanol, ":12"):
            one = {"symbols": list(atoms.symbols), "energy": atoms.get_total_energy()}
            lists = {"positions": atoms.positions.tolist(), "forces": atoms.get_forces().tolist()}
            file.write(json.dumps({**one, **lists}) + "\n")
    tiny["training_set"]["systems"]["read_from"] = "train.jsonl"
    tiny["loggers"] = ["history", "lamp"]
    tiny["architecture"]["training"].update(
        loss={"energy": {"type": "log_cosh", "forces": "log_cosh"}},
        scheduler={"name": "halving", "warmup_steps": 0},
        optimizer="rprop",
        ema={"name": "uniform"},
    )
    return tiny


def test_every_kind_takes_what_another_package_offers(package: Path) -> None:
    theirs = {
        kind.what: [name for name, one in kind.find().items() if one.origin != "mtt"]
        for kind in KINDS
        if kind is not TARGET_KINDS  # see tests/data/kinds
    }
    assert all(len(names) == 1 for names in theirs.values()), theirs
    assert not any(name.partition(".")[0] == PACKAGE for name in sys.modules)
    assert LOSSES.described()["log_cosh"] == "log cosh d"
    d = torch.tensor([-900.0, -0.5, 0.0, 2.0], dtype=torch.float64)
    expected = [900.0 - math.log(2.0), *(math.log(math.cosh(x)) for x in (-0.5, 0.0, 2.0))]
    assert load_loss("log_cosh").function(d, 1.0).tolist() == pytest.approx(expected)


def test_a_training_uses_them_and_is_resumed(
    package: Path, options: dict[str, Any], fit: Fit, history: Callable[..., list[dict[str, Any]]]
) -> None:
    options["architecture"]["training"]["num_epochs"] = 3
    straight = fit(options)
    rates = [row["learning rate"] for row in history(straight)]
    assert rates == [pytest.approx(1e-3 * 0.5**epoch) for epoch in range(3)]
    lamp = (straight.path / "lamp.txt").read_text().splitlines()
    assert [line.partition(" ")[0] for line in lamp] == ["1", "2", "3"]

    options["architecture"]["training"]["num_epochs"] = 2
    half = fit(options)
    last = next(half.path.rglob("last.ckpt"))
    options["architecture"]["training"]["num_epochs"] = 3
    resumed = fit(options, last)
    assert history(resumed) == history(straight)


def test_the_data_of_the_package_are_checked(
    package: Path, options: dict[str, Any], fit: Fit, here: Path
) -> None:
    (here / "train.jsonl").write_text('{"symbols": ["H"], "positions": [[0, 0, 0]]}\n')
    message = r"train.jsonl, frame 0: the reader 'jsonl' cannot read it \(KeyError: 'energy'\)"
    with pytest.raises(DataError, match=message):
        fit(options)


def test_what_is_wrong_with_the_package_is_an_error_of_the_option(
    package: Path, options: dict[str, Any]
) -> None:
    (package / "log_cosh.py").write_text("LOSS = make(has_delta=sum([1]), aliases=list('a'))\n")
    options["architecture"]["training"]["loss"] = "log_cosh"
    with pytest.raises(ConfigError, match=r"training.loss: .*log_cosh\.py of package my-package"):
        resolve(load_options(options), find("soap_bpnn").load())
    options["architecture"]["training"]["loss"] = "log_cos"
    with pytest.raises(ConfigError, match=r"loss: unknown loss 'log_cos'; did you mean 'log_cosh'"):
        resolve(load_options(options), find("soap_bpnn").load())
