"""Which files options name, and which names are one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtt.errors import ConfigError
from mtt.workflows.overwriting import Named, files_in, free_name, is_inside, refuse_overwriting


def test_files_are_found_wherever_options_name_them(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.xyz", "b.xyz", "c 1.xyz", "table.csv", "energy"):
        Path(name).touch()
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setenv("DATA", str(here))
    options = {
        "training_set": {"systems": {"read_from": ["a.xyz", Path("b.xyz"), "[bc]*.xyz"]}},
        "validation_set": [{"systems": "~/a.xyz"}, {"systems": "$DATA/c 1.xyz"}],
        "hypers": {"table": "table.csv", "numbers": [1, 2], "patterns": ["*.xyz", "x\0y", "", "-"]},
        "remote": "a.xyz",
        "tensorboard": {"log_dir": "a.xyz"},
    }
    found = [(one.role, str(one.path)) for one in files_in(options)]
    assert found == [
        ("training_set.systems.read_from[0]", "a.xyz"),
        ("training_set.systems.read_from[1]", "b.xyz"),
        ("training_set.systems.read_from[2]", "b.xyz"),
        ("training_set.systems.read_from[2]", "c 1.xyz"),
        ("validation_set[0].systems", f"{here}/a.xyz"),
        ("validation_set[1].systems", f"{here}/c 1.xyz"),
        ("hypers.table", "table.csv"),
    ]


def test_what_is_not_there_is_compared_by_its_path(here: Path) -> None:
    Path("real").mkdir()
    Path("link").symlink_to("real")
    outputs = [Named(Path("real/new.pt"), "one"), Named(Path("link/../real/new.pt"), "two")]
    with pytest.raises(ConfigError, match=r"two and one \(real/new\.pt\) would be one file"):
        refuse_overwriting(outputs, [])
    refuse_overwriting([outputs[0], Named(Path("link/other.pt"), "three")], [])
    assert is_inside(Path("link/a/b"), Path("real"))
    assert not is_inside(Path("really/a"), Path("real"))


def test_an_output_is_named_once_and_a_free_name_offered(here: Path) -> None:
    Path("model.pt").touch()
    Path("model-2.ckpt").touch()
    assert free_name(Path("model.pt")) == Path("model-3.pt")
    inputs = [Named(Path("model.pt"), "first"), Named(here / "model.pt", "second")]
    with pytest.raises(ConfigError) as caught:
        refuse_overwriting([Named(Path("model.pt"), "the output")], inputs)
    assert str(caught.value) == (
        "model.pt: the output would replace model.pt, which is read (first); "
        "name another output, such as -o model-3.pt"
    )
