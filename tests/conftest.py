"""What all tests share: one thread each, so that numbers repeat and workers do not fight."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import runpy
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is loaded, here or in a child
os.environ.setdefault("MKL_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent


def plugin(name: str) -> Any:
    """A file beside this one."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FORKING = plugin("forking")


def pytest_configure(config: pytest.Config) -> None:
    for one in (FORKING, plugin("pace"), plugin("graphs"), plugin("thread_ranks")):
        config.pluginmanager.register(one)


@pytest.fixture(scope="session")
def forked() -> Callable[..., subprocess.CompletedProcess[str]]:
    """``forked(script, *arguments)``: what has ended, as ``subprocess.run`` returns it.

    Libraries are imported: a script begins some seconds sooner than one that python starts.
    """
    found: Callable[..., subprocess.CompletedProcess[str]] = FORKING.forked
    return found


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout that the tests belong to."""
    return ROOT


@pytest.fixture(scope="session")
def cpp_compiler() -> None:
    """Skips where there is no C++ compiler."""
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except (InvalidCxxCompiler, RuntimeError):
        pytest.skip("there is no C++ compiler")


@pytest.fixture(scope="session")
def ethanol(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """A file with twenty frames of ethanol: energies and forces."""
    lines = (root / "examples" / "data" / "ethanol.xyz").read_text().splitlines(keepends=True)
    path = tmp_path_factory.mktemp("ethanol") / "ethanol.xyz"
    path.write_text("".join(lines[: 20 * (9 + 2)]))
    return path


@pytest.fixture(scope="session")
def alloy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with twelve frames of Cu-Au, strained and displaced: energies, forces, stresses."""
    import ase.io
    import numpy as np
    from ase.build import bulk
    from ase.calculators.emt import EMT
    from ase.calculators.singlepoint import SinglePointCalculator

    generator = np.random.default_rng(5)
    frames = []
    for _ in range(12):
        atoms = bulk("Cu", cubic=True)
        atoms.numbers[generator.integers(4)] = 79
        strain = np.eye(3) + generator.normal(0.0, 0.02, (3, 3))
        atoms.set_cell(atoms.cell @ strain, scale_atoms=True)
        atoms.rattle(0.05, rng=generator)
        atoms.calc = EMT()
        found = {one: atoms.calc.get_property(one, atoms) for one in ("energy", "forces", "stress")}
        atoms.calc = SinglePointCalculator(atoms, **found)
        frames.append(atoms)
    path = tmp_path_factory.mktemp("alloy") / "alloy.xyz"
    ase.io.write(path, frames)
    return path


@pytest.fixture(scope="session")
def tiny_options(ethanol: Path) -> dict[str, Any]:
    """Options of a model so small that an epoch takes no time; not to be changed."""
    return {
        "seed": 1,
        "base_precision": 64,
        "report": False,  # takes longer than the training
        "architecture": {
            "name": "soap_bpnn",
            "model": {
                "soap": {"max_angular": 1, "max_radial": 2, "cutoff": {"radius": 2.5}},
                "bpnn": {"num_hidden_layers": 1, "num_neurons_per_layer": 4},
            },
            "training": {"batch_size": 4, "num_epochs": 2},
        },
        "training_set": {
            "systems": {"read_from": str(ethanol), "length_unit": "angstrom"},
            "targets": {"energy": {"unit": "eV", "forces": True, "stress": False}},
        },
        "validation_set": 0.2,
        "test_set": 0.1,
    }


@pytest.fixture(scope="session")
def metatrain_format(root: Path) -> SimpleNamespace:
    """Writes checkpoints as metatrain does: ``tests/importing/metatrain_format.py``."""
    return SimpleNamespace(**runpy.run_path(str(root / "tests/importing/metatrain_format.py")))


@pytest.fixture
def web(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server on this machine (``tests/fetching/server.py``), and an empty cache."""
    made = runpy.run_path(f"{root}/tests/fetching/server.py")
    with made["serving"](tmp_path / "cache", monkeypatch) as server:
        yield server


@pytest.fixture
def tiny(tiny_options: dict[str, Any]) -> dict[str, Any]:
    """The options of a tiny model, to be changed at will."""
    return copy.deepcopy(tiny_options)


@pytest.fixture(scope="session")
def fit() -> Callable[..., Any]:
    """``fit(options, restart=None)``: the folder; what ``train`` does, up to the export."""
    from mtt.ranks import SerialRanks
    from mtt.workflows.restart.source import run_folder
    from mtt.workflows.run.listeners import make_events
    from mtt.workflows.run.provenance import provenance
    from mtt.workflows.train import begin, describe, read_inputs, run

    def fit(
        options: str | Path | Mapping[str, Any],
        restart: str | Path | None = None,
        *,
        architectures: Sequence[Path] = (),
        listeners: Sequence[Any] = (),
    ) -> Any:
        ranks = SerialRanks()
        plan = read_inputs(options, None, restart, (), architectures, False, ranks)  # not exported
        start = begin(plan)
        folder = run_folder(plan.restart)
        origin = provenance(start.provenance, plan.options.seed, plan.data)
        describe(plan, folder, origin)
        with closing(make_events(plan.options, folder.path, listeners, ranks)) as events:
            run(plan, start, folder, origin, events, ranks)
        return folder

    return fit


@pytest.fixture
def history() -> Callable[[Any], list[dict[str, Any]]]:
    """The epochs in ``history.jsonl``, without what depends on the clock."""

    def without_clock(values: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in values.items() if "seconds" not in k}

    def history(folder: Any) -> list[dict[str, Any]]:
        lines = (folder.path / "history.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line, object_hook=without_clock) for line in lines]

    return history


class Outcome(NamedTuple):
    """What a command leaves behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test runs in an empty folder, where lines are wide enough not to break."""
    from mtt.cli.render import terminal

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(terminal, "_shared", [])  # a console keeps the width that it began with
    return tmp_path


@pytest.fixture
def mtt(capsys: pytest.CaptureFixture[str]) -> Command:
    """``mtt("train", "options.yaml")``: the exit code, and what was printed."""

    from mtt.cli.main import run

    def mtt(*arguments: str | Path) -> Outcome:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    return mtt


@pytest.fixture
def write() -> Callable[..., Path]:
    """Write options (JSON is YAML) into the folder of the test."""

    def write(options: Any, name: str = "options.yaml") -> Path:
        Path(name).write_text(json.dumps(options, indent=1), encoding="utf-8")
        return Path(name)

    return write


@pytest.fixture(scope="session")
def trained(tiny_options: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished ``mtt train options.yaml``; its files are only to be read."""
    from mtt.cli.main import run

    folder = tmp_path_factory.mktemp("trained")
    Path(folder, "options.yaml").write_text(json.dumps({**tiny_options, "report": True}, indent=1))
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert run(["train", "options.yaml"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def listing(here: Path) -> Callable[[], dict[str, bytes]]:
    """The content of every file below the folder of the test, by name."""

    def listing() -> dict[str, bytes]:
        files = sorted(here.rglob("*"))
        return {str(path): path.read_bytes() if path.is_file() else b"" for path in files}

    return listing


@pytest.fixture
def refused(
    mtt: Command,
    listing: Callable[[], dict[str, bytes]],
    record_property: Callable[[str, object], None],
) -> Iterator[Callable[..., str]]:
    """Run a command that must fail: its one message; the disk is as it was."""
    told = []

    def refused(*arguments: str | Path) -> str:
        before = listing()
        done = mtt(*arguments)
        assert done.code == 1, done.err
        assert done.err.count("error: ") == 1
        assert "Traceback" not in done.out + done.err
        assert listing() == before
        told.append(str(done.err))
        return told[-1]

    yield refused
    record_property("refusals that left no file", len(told))
