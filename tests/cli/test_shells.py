"""``mtt schema``, ``mtt completion``, and mistyped commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Mtt = Callable[..., Any]


def test_schema_is_printed_as_json(mtt: Mtt) -> None:
    done = mtt("schema", "pet")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["title"] == "mtt options"
    wrong = mtt("schema", "pett")
    assert wrong.code == 1
    assert "did you mean 'pet'" in wrong.err


def test_the_script_for_bash_is_that_of_the_old_option(mtt: Mtt) -> None:
    done = mtt("completion", "bash")
    assert done.code == 0
    assert done.out == Path(mtt("--shell-completion").out.strip()).read_text()
    check = subprocess.run(["bash", "-n"], input=done.out, text=True, capture_output=True)
    assert (check.returncode, check.stderr) == (0, "")


@pytest.mark.parametrize(
    ("shell", "first", "words"),
    [("zsh", "#compdef mtt", "_MTT_COMPLETE=zsh_complete"), ("fish", "function", "fish_complete")],
)
def test_the_scripts_of_other_shells_ask_mtt(mtt: Mtt, shell: str, first: str, words: str) -> None:
    done = mtt("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(first)
    assert words in done.out


def test_zsh_is_answered_with_commands() -> None:
    environment = os.environ | {"_MTT_COMPLETE": "zsh_complete", "COMP_WORDS": "mtt sch"}
    environment["COMP_CWORD"] = "1"
    done = subprocess.run(
        [sys.executable, "-m", "mtt"], env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.stdout.splitlines()[:2] == ["plain", "schema"]


def test_other_shells_are_refused(mtt: Mtt) -> None:
    done = mtt("completion", "tcsh")
    assert done.code == 2
    assert "'bash', 'zsh', 'fish'" in done.err


@pytest.mark.parametrize(
    ("words", "meant"),
    [(["trian", "options.yaml"], "'train'"), (["train", "--restrat", "auto"], "'--restart'")],
)
def test_mistyped_commands_and_options_are_corrected(
    mtt: Mtt, words: list[str], meant: str
) -> None:
    done = mtt(*words)
    assert done.code == 2
    assert f"Did you mean {meant}?" in done.err
