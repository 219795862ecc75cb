"""What a newcomer meets first: the lines of the README, the pins, a quick ``--help``."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    "command", ["", "train", "eval", "export", "show", "architectures", "new", "check", "data"]
)
def test_help_imports_no_torch(command: str) -> None:
    arguments = [*command.split(), "--help"]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mtt", *arguments],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "click" in loaded
    heavy = {name.split(".")[0] for name in loaded}
    assert heavy & {"torch", "metatomic", "metatensor", "ase", "numpy", "scipy"} == set()
    assert "Usage" in done.stdout


def one_liners() -> list[str]:
    return re.findall(r"^python3\.11 .*$", (ROOT / "README.md").read_text(), re.MULTILINE)


def test_readme_has_one_line_for_the_main_job_and_one_for_the_tests() -> None:
    job, tests = one_liners()
    venv, install, main = job.split(" && ")
    assert venv == "python3.11 -m venv .venv"
    assert install == ".venv/bin/pip install -q -c constraints.txt -e ."
    assert main == ".venv/bin/mtt train examples/quickstart/options.yaml"
    assert (ROOT / main.split()[-1]).is_file()
    assert tests == f"{venv} && {install.removesuffix('.')}'.[test]' && .venv/bin/pytest -q -n auto"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "test" in project["optional-dependencies"]


def test_ci_runs_both_lines_of_the_readme_where_nothing_else_is_installed() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    pattern = re.search(r"grep -E '(.*)' \S*README\.md", script)
    assert pattern is not None
    lines = (ROOT / "README.md").read_text().splitlines()
    assert [line for line in lines if re.search(pattern[1], line)] == one_liners()
    copies = re.split(r"^ *copy (\w+)$", script, flags=re.MULTILINE)
    steps = dict(zip(copies[1::2], copies[2::2], strict=True))
    assert set(steps) == {"checks", "tests", "training"}
    for name, line in (("training", 0), ("tests", 1)):
        first, *_ = steps[name].strip().splitlines()
        assert first.endswith(f'bash -euxc "${{lines[{line}]}}"')
        assert "pip" not in steps[name]
    commands = [line for line in script.splitlines() if not line.startswith("#")]
    # tests that need other packages run when the others have passed without these
    after = [line for line in commands if "pytest" in line and "lines[1]" not in line]
    assert after == [".venv/bin/pytest -n auto tests/experimental/sevennet"]
    assert steps["tests"].index("sevennet") > steps["tests"].index("lines[1]")


def test_constraints_pin_every_dependency_of_the_tests() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*", pin) for pin in pins)
    pinned = {re.sub(r"[-_.]+", "-", pin.split("==")[0]).lower() for pin in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for apart in ("aim", "engines"):  # other environments
        del extras[apart]
    wanted = [*project["dependencies"], *(w for extra in extras.values() for w in extra)]
    names = {re.match(r"[A-Za-z0-9_.-]+", want)[0].lower() for want in wanted}  # type: ignore[index]
    assert names - pinned - {"mtt"} == set()
    assert "torch==2.13.0" in pins
