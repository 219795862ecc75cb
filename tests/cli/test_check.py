"""``mtt check``: architectures by folder and name, options files, and what is neither."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mtt.cli.render import terminal
from mtt.testing import NAMES

Mtt = Callable[..., Any]
Write = Callable[..., Path]

SMALL = ("--hypers", "n_radial=3", "--hypers", "width=3")
FADE = " * self.fade(r)"


@pytest.fixture
def own(mtt: Mtt) -> Path:
    """A new architecture, as ``mtt new`` writes it."""
    assert mtt("new", "own").code == 0
    return Path("own")


def change(folder: Path, old: str, new: str) -> None:
    """Put a mistake into the model."""
    text = (folder / "model.py").read_text()
    assert old in text
    (folder / "model.py").write_text(text.replace(old, new))


@pytest.fixture
def sharp(own: Path) -> Path:
    """Its neighbours do not fade out."""
    change(own, FADE, "")
    return own


def test_a_new_architecture_keeps_every_promise(own: Path, mtt: Mtt) -> None:
    done = mtt("check", own, *SMALL)
    assert (done.code, done.err) == (0, ""), done.out
    assert "the architecture own (own)" in done.out
    for name in NAMES:
        assert name in done.out
    statuses = re.findall(r"  (passed|failed|declared|does not apply)  ", done.out)
    assert set(statuses) == {"passed", "does not apply"}
    assert len(statuses) == len(NAMES)
    assert statuses.count("does not apply") == 8  # earlier checkpoints, tensors, features, inputs


def test_a_mistake_fails_the_right_check_with_what_it_means_and_where_to_look(
    sharp: Path, mtt: Mtt
) -> None:
    done = mtt("check", sharp, *SMALL, "--only", "at the cutoff", "--only", "a rotation*")
    assert (done.code, done.err) == (1, "")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    (broken,) = [line for line in lines if line.startswith("energies and forces are continuous")]
    assert " failed 0" in broken
    assert any(line.startswith("what energy where a neighbour crosses") for line in lines)
    assert any(line.startswith("means ") for line in lines)
    assert any(line.startswith("look ") for line in lines)
    assert any("a rotation turns forces and keeps energies passed" in line for line in lines)
    assert any(line.startswith("1 passed, 2 failed, in ") for line in lines)


def test_json_holds_the_same(sharp: Path, mtt: Mtt) -> None:
    done = mtt("check", sharp, *SMALL, "--only", "forces are continuous", "--json")
    assert (done.code, done.err) == (1, "")
    told = json.loads(done.out)
    (target,) = told["targets"]
    (check,) = target["checks"]
    assert not told["passed"]
    assert (target["kind"], target["name"], target["passed"]) == ("architecture", "own", False)
    assert check["check"] == "energies and forces are continuous at the cutoff"
    assert check["status"] == "failed"
    assert "jump by" in check["message"]
    assert check["meaning"]
    assert check["look"]
    assert check["seconds"] > 0


def test_the_line_that_raised_is_reported(own: Path, mtt: Mtt) -> None:
    change(own, "self.mix(density)", "self.mixx(density)")
    done = mtt("check", own, "--only", "translation")
    assert done.code == 1
    number = next(
        number
        for number, line in enumerate((own / "model.py").read_text().splitlines(), start=1)
        if "mixx" in line
    )
    assert f"at     model.py:{number}\n" in "\n".join(map(str.rstrip, done.out.split("\n")))
    assert "AttributeError: 'Own' object has no attribute 'mixx'" in done.out
    (check,) = json.loads(mtt("check", own, "--only", "translation", "--json").out)["targets"][0][
        "checks"
    ]
    assert check["place"] == f"model.py:{number}"


def test_an_architecture_that_cannot_be_loaded_is_a_failed_target(own: Path, mtt: Mtt) -> None:
    change(own, "class Own", "clas Own")
    done = mtt("check", own)
    assert (done.code, done.err) == (1, "")
    assert "the architecture 'own' cannot be imported: SyntaxError" in done.out
    assert "1 mistake\n" in done.out


def test_the_current_folder_is_checked(
    own: Path, mtt: Mtt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own)
    done = mtt("check", ".", *SMALL, "--only", "translation")
    assert done.code == 0
    assert "the architecture own " in done.out


def test_an_architecture_is_checked_by_its_name(own: Path, mtt: Mtt) -> None:
    assert mtt("check", "soap_bpnn", "--only", "schema").code == 0
    own.rename("moved").parent.mkdir(exist_ok=True)
    Path("folders").mkdir()
    Path("moved").rename("folders/own")
    done = mtt("check", "own", "--only", "schema", "--architectures", "folders")
    assert done.code == 0
    assert "the architecture own (folders/own)" in done.out


# ------------------------------------------------------------------------- options


def test_options_are_checked_with_their_data(mtt: Mtt, write: Write, tiny: dict[str, Any]) -> None:
    write(tiny)
    done = mtt("check", "options.yaml")
    assert (done.code, done.err) == (0, "")
    assert "the options of options.yaml" in done.out
    assert "training set: 14 structures of 9 atoms" in done.out
    assert "in order" in done.out
    assert list(Path().iterdir()) == [Path("options.yaml")]


def test_all_mistakes_of_options_are_reported(mtt: Mtt, write: Write, tiny: dict[str, Any]) -> None:
    tiny["sed"] = 1
    tiny["architecture"]["training"]["batch_sise"] = 1
    write(tiny)
    done = mtt("check", "options.yaml")
    assert (done.code, done.err) == (1, "")
    for text in ("did you mean 'seed'?", "did you mean 'batch_size'?", "2 mistakes\n"):
        assert text in done.out
    told = json.loads(mtt("check", "options.yaml", "--json").out)
    hints = [problem["hint"] for problem in told["targets"][0]["problems"]]
    assert hints == ["did you mean 'batch_size'?", "did you mean 'seed'?"]


def test_json_of_options_is_nothing_but_json(mtt: Mtt, write: Write, tiny: dict[str, Any]) -> None:
    write(tiny)
    done = mtt("check", "options.yaml", "--json")
    assert json.loads(done.out)["passed"] is True
    assert "in order" in done.err
    assert "epoch" not in mtt("check", "options.yaml", "-r", "seed=4").out


def test_several_targets_are_all_checked(
    own: Path, mtt: Mtt, write: Write, tiny: dict[str, Any]
) -> None:
    tiny["training_set"]["systems"]["read_from"] = "nowhere.xyz"
    write(tiny)
    done = mtt("check", "options.yaml", own, "--only", "schema")
    assert done.code == 1
    assert "nowhere.xyz" in done.out
    assert "1 passed" in done.out


# ------------------------------------------------------------------------- what is refused


def test_an_unknown_target_is_reported_before_anything_runs(
    own: Path, refused: Callable[..., str]
) -> None:
    Path("notes.txt").write_text("")
    Path("model.ckpt").write_text("")
    Path("empty").mkdir()
    said = refused(
        "check", own, "soap_bpn", "own/model.py", "./on", "notes.txt", "model.ckpt", "empty", ".",
        "optoins.yaml",
    ).splitlines()  # fmt: skip
    neither = "is neither an architecture's folder or name, nor an options file (.yaml)"
    assert said == [
        "error: soap_bpn: unknown architecture 'soap_bpn'; did you mean 'soap_bpnn'?",
        "own/model.py: is a file of an architecture; give the folder: mtt check own",
        "./on: no such file or folder; did you mean 'own'?",
        f"notes.txt: {neither}",
        f"model.ckpt: {neither}; mtt show model.ckpt says what it is",
        "empty: is not an architecture: it lacks __init__.py and default-hypers.yaml; "
        "mtt new NAME writes one",
        f".: {neither}; it holds architectures: mtt check own",
        "optoins.yaml: no such file or folder",
    ]


def test_a_pattern_that_matches_nothing_is_refused(own: Path, refused: Callable[..., str]) -> None:
    said = refused("check", own, "--only", "rotaton", "--only", "xyz")
    assert "--only rotaton: no check has such a name; did you mean 'rotation'?" in said
    assert "--only xyz: no check has such a name; the checks are\n  the default options" in said


def test_options_of_architectures_are_refused_for_options_files(
    write: Write, tiny: dict[str, Any], refused: Callable[..., str]
) -> None:
    write(tiny)
    said = refused("check", "options.yaml", "--only", "cutoff", "--hypers", "a=1")
    assert said.splitlines() == [
        "error: --only: is for architectures, and none is to be checked",
        "--hypers: is for architectures, and none is to be checked",
    ]


def test_hypers_come_from_files_and_single_values(own: Path, mtt: Mtt) -> None:
    Path("small.yaml").write_text("n_radial: 3\nwidth: 3\n")
    done = mtt("check", own, "--hypers", "small.yaml", "--hypers", "width=2", "--only", "seed")
    assert done.code == 0, done.out
    done = mtt("check", own, "-r", "architecture.model.width=2", "--only", "seed")
    assert done.code == 0, done.out
    for arguments, told in (
        (("--hypers", "widht=2"), "did you mean 'width'?"),
        (("--hypers", "width=two"), "architecture.model.width=two"),
        (("--hypers", "nowhere.yaml"), "no such file"),
        (("-r", "seed=2"), "write -r architecture.model.KEY=VALUE"),
    ):
        done = mtt("check", own, *arguments, "--only", "seed")
        assert done.code == 1
        assert told in done.out


# ------------------------------------------------------------------------- appearance


@pytest.mark.parametrize("width", [60, 80, 120])
def test_lines_fit_the_terminal(
    width: int, sharp: Path, mtt: Mtt, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(width=width)
    monkeypatch.setattr(terminal, "rich_console", lambda: console)
    out = mtt("check", sharp, *SMALL, "--only", "continuous at the cutoff").out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= min(width, 110)
    assert "failed" in out
    if width >= 80:  # one line each
        assert "second derivatives are continuous at the cutoff   failed" in out


def test_a_terminal_shows_what_is_running(
    own: Path, mtt: Mtt, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(width=100, force_terminal=True, color_system="truecolor")
    monkeypatch.setattr(terminal, "rich_console", lambda: console)
    out = mtt("check", own, *SMALL, "--only", "a translation", "--only", "order of the atoms").out
    assert "\x1b[32mpassed" in out
    assert "2 passed" in out
