"""Pages for users of other programs name options that exist, and files that are recognised."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mtt import registry
from mtt.options import load_options, resolve
from mtt.options.foreign import _table
from mtt.options.schema.table import rows
from mtt.options.training import parse

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
PAGE = (DOCS / "src" / "coming-from.md").read_text(encoding="utf-8")


def cells() -> Iterator[tuple[str, str, str]]:
    """Section, the other program's cell and ours, of every row of every table."""
    section = ""
    for line in PAGE.splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        found = re.fullmatch(r"\| (.+?) \| (.+) \|", line)
        if found and found[1] != section and not found[1].startswith("---"):
            yield section, found[1], found[2]


def spans() -> list[str]:
    """What is said to be an option of mtt: between backticks, in the last column."""
    found = [
        span
        for section, _, ours in cells()
        if section != "Others"
        for span in re.findall(r"`([^`]+)`", ours)
    ]
    return [one for one in found if not re.match(r"mtt |\(|reset_|-|finetune\.", one)]


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Every option by its abbreviated path."""
    tables = runpy.run_path(str(DOCS / "extensions" / "option_rows.py"))
    names = {row.name for row in rows(tables["source"]("options"))}
    names |= {f"training.{row.name}" for row in rows(tables["source"]("training"))}
    names |= {f"model.{row.name}" for row in rows(tables["source"]("model"))}
    for one in registry.discover().values():
        names |= {f"model.{key}" for key in one.load().default_hypers["model"]}
    for at in ("$defs/labelled", "$defs/target"):
        inner = {row.name for row in rows(tables["source"]("options"), at=at)}
        names |= {f"targets.energy.{name}" for name in inner}
    return names | {"targets.energy.forces.key", "targets.energy.stress.key", "training", "model"}


def test_every_option_of_mtt_on_the_page_exists(known: set[str]) -> None:
    listed = [span.partition(": ")[0] for span in spans()]
    assert len(listed) > 50
    assert [path for path in dict.fromkeys(listed) if path not in known | {"weight"}] == []


def test_every_training_option_is_accepted_with_its_value() -> None:
    architecture = registry.find("soap_bpnn").load()
    checked = 0
    for span in spans():
        key, _, value = span.removeprefix("training.").partition(": ")
        if not span.startswith("training.") or not value:
            continue
        training = {key: yaml.safe_load(value)}
        raw = load_options(
            {
                "architecture": {"name": "soap_bpnn", "training": training},
                "training_set": {"systems": "a.xyz", "targets": {"energy": {"unit": "eV"}}},
                "validation_set": 0.1,
            }
        )
        assert parse(resolve(raw, architecture).architecture["training"]), span
        checked += 1
    assert checked > 15


@pytest.mark.parametrize("program", ["metatrain", "MACE", "NequIP", "SevenNet"])
def test_a_program_has_a_section_of_its_options(program: str) -> None:
    assert len([row for row in cells() if row[0] == program]) >= 10


def test_every_program_whose_files_are_recognised_is_on_the_page() -> None:
    assert [name for name in _table() if name not in PAGE] == []


def test_the_page_on_foundation_models_has_options_and_methods_that_exist() -> None:
    page = (DOCS / "src" / "foundation-models.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(.+?)^```", page, re.M | re.S)
    raw = load_options(yaml.safe_load(block))
    architecture = registry.find(raw.architecture_name).load()
    options = parse(resolve(raw, architecture).architecture["training"])
    assert options.finetune.read_from == "foundation.ckpt"
    methods = re.findall(r"^\|[^|`]+\|[^|`]+\| `(\w+)`", page, re.M)
    assert len(methods) >= 4
    for method in methods[1:]:  # below the heading
        assert parse({"finetune": {"read_from": "a.ckpt", "method": method}})
