"""What a folder and other packages offer by name, read without being imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mtt.discovery import KINDS, Plugins
from mtt.errors import ConfigError, DataError

LAMP = '''"""Shines
at night.

And more.
"""
from fractions import Fraction as Lamp
raise_if_run = 1

LAMP = Lamp(numerator=1, denominator=2)
'''

Write = Callable[..., None]
Install = Callable[..., None]


@pytest.fixture
def lamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugins]:
    """The lamps of a package, ``desk`` and ``floor``, that other packages can add to."""
    folder = tmp_path / "light_house" / "lamps"
    (folder / "tall").mkdir(parents=True)
    for file in ("__init__.py", "lamps/__init__.py", "lamps/tall/__init__.py", "lamps/_wires.py"):
        (tmp_path / "light_house" / file).write_text("")
    (folder / "desk.py").write_text(LAMP)
    (folder / "tall" / "floor.py").write_text(LAMP.replace("numerator=1", "numerator=3"))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Plugins("lamp", "light_house.lamps", "tests.lamps", "LAMP")
    for name in [name for name in sys.modules if name.startswith(("light_house", "shop"))]:
        del sys.modules[name]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package ``shop`` with one module and one entry point."""

    def make(name: str, target: str, source: str | None = None) -> None:
        site = tmp_path / "site"
        info = site / "shop-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[tests.lamps]\n{name} = {target}\n")
        if source is not None:
            (site / "shop_lamps.py").write_text(source)
        monkeypatch.syspath_prepend(str(site))

    return make


def test_names_and_descriptions_come_from_files_that_are_not_imported(lamps: Plugins) -> None:
    assert lamps.names() == ("desk", "floor")
    assert lamps.described() == {"desk": "Shines at night", "floor": "Shines at night"}
    assert lamps.fact("floor", "numerator", 7) == 3
    assert lamps.fact("floor", "height", 7) == 7
    assert lamps.facts("numerator", 7) == {"desk": 1, "floor": 3}
    assert not any(name.startswith("light_house.") for name in sys.modules)


def test_loading_one_imports_no_other(lamps: Plugins) -> None:
    from fractions import Fraction

    assert lamps.load("desk", Fraction) == Fraction(1, 2)
    assert "light_house.lamps.desk" in sys.modules
    assert "light_house.lamps.tall.floor" not in sys.modules


@pytest.mark.parametrize("target", ["shop_lamps", "shop_lamps:LAMP"])
def test_another_package_offers_one_through_an_entry_point(
    lamps: Plugins, install: Install, target: str
) -> None:
    from fractions import Fraction

    install("neon", target, LAMP.replace("numerator=1", "numerator=5"))
    assert lamps.names() == ("desk", "floor", "neon")
    assert lamps.described()["neon"] == "Shines at night"
    assert lamps.fact("neon", "numerator", 0) == 5
    assert "shop_lamps" not in sys.modules
    assert lamps.load("neon", Fraction) == Fraction(5, 2)


def test_an_object_that_is_made_in_another_way_is_imported_for_a_fact(
    lamps: Plugins, install: Install
) -> None:
    install("neon", "shop_lamps", "from light_house.lamps.desk import LAMP\n")
    assert lamps.fact("neon", "denominator", 0) == 2
    assert lamps.facts("denominator", 0) == {"desk": 2, "floor": 2}


def test_an_unknown_name_is_an_error_with_the_nearest_one(lamps: Plugins) -> None:
    with pytest.raises(ConfigError, match=r"^o.yaml: unknown lamp 'desc'; did you mean 'desk'\?$"):
        lamps.check("desc", "o.yaml")
    with pytest.raises(DataError, match="unknown lamp 'neon'; one of desk, floor"):
        lamps.load("neon", object, error=DataError)


def test_a_name_that_two_claim_is_refused_with_both(lamps: Plugins, install: Install) -> None:
    install("desk", "shop_lamps", LAMP)
    assert lamps.names() == ("desk", "floor")
    assert lamps.facts("numerator", 7) == {"floor": 3}
    both = r"two have this name, .*lamps/desk\.py and .*shop_lamps\.py of package shop; rename one"
    with pytest.raises(ConfigError, match=both):
        lamps.load("desk", object)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "the entry point of package shop names 'shop_lamps', which is not a module"),
        ("def", r"cannot be loaded \(SyntaxError: .*mend .*shop_lamps\.py of package shop"),
        ("import nowhere_at_all", r"\(ModuleNotFoundError: .*shop_lamps\.py of package shop"),
        ("1 / 0", r"\(ZeroDivisionError: .*shop_lamps\.py of package shop"),
        ("lamp = 1", r"\(AttributeError: .*has no attribute 'LAMP'\).*of package shop"),
        ("LAMP = 'paper'", r" is not a Fraction; it is in .*shop_lamps\.py of package shop"),
    ],
)
def test_a_broken_package_is_named_where_it_is_used_and_disturbs_no_other(
    lamps: Plugins, install: Install, source: str | None, message: str
) -> None:
    from fractions import Fraction

    install("neon", "shop_lamps", source)
    assert lamps.names() == ("desk", "floor", "neon")
    assert lamps.load("desk", Fraction) == Fraction(1, 2)
    assert lamps.facts("numerator", 7) == {"desk": 1, "floor": 3}
    with pytest.raises(ConfigError, match=f"(?s)^o.yaml: .*'neon'.*{message}"):
        lamps.load("neon", Fraction, "o.yaml")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("numerator=int(1)", "numerator of LAMP must be a literal in .*{}: it is read, not run"),
        ("numerator='one'", "'one' for LAMP in .*{} must be of type int"),
    ],
)
def test_a_fact_is_a_literal_of_its_type(
    lamps: Plugins, install: Install, argument: str, message: str
) -> None:
    install("neon", "shop_lamps", LAMP.replace("numerator=1", argument))
    with pytest.raises(ConfigError, match=message.format(r"shop_lamps\.py of package shop")):
        lamps.fact("neon", "numerator", 0)


def test_nothing_of_torch_is_needed_to_name_and_describe_everything() -> None:
    code = (
        "import sys; from mtt.discovery import KINDS\n"
        "assert all(all(kind.described().values()) and kind.names() for kind in KINDS)\n"
        "assert not {'torch', 'numpy', 'ase', 'mtt.training'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_of_different_kinds_are_independent() -> None:
    assert len({kind.what for kind in KINDS}) == len({kind.group for kind in KINDS}) == len(KINDS)
