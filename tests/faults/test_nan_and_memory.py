"""Trainings with bad luck: a loss that is not finite, and memory that is not enough."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtt.checkpoint import read

Options = dict[str, Any]
Run = Callable[..., Any]

# Counts its calls; in call number FAULT_STEP of the mode that is named, the fault happens.
SPOIL = """
    @torch.jit.unused
    def spoil(self, energies: Tensor) -> Tensor:
        what, mode, step = os.environ.get("FAULT", "- - 0").split()
        now = "training" if self.training else "other"
        self.calls = getattr(self, "calls", 0) + (mode == now)
        if self.calls != int(step):
            return energies
        if what == "memory":
            torch.empty(2**60, device=energies.device)  # more than any machine has
        if what == "limit":
            here = resource.getpagesize() * int(open("/proc/self/statm").read().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (here + 2**26, resource.RLIM_INFINITY))
            return energies + torch.ones(2**28, dtype=energies.dtype).sum()  # 2 GiB
        if what == "gradient" and energies.requires_grad:
            self.last.weight.register_hook(lambda slope: slope * torch.inf)
        return energies * float(what) if what in ("nan", "inf") else energies
"""


@pytest.fixture
def folders(here: Path, root: Path) -> Path:
    """The example's architecture, with a fault in it."""
    shutil.copytree(root / "examples" / "architecture" / "gaussians", here / "own" / "gaussians")
    path = here / "own" / "gaussians" / "model.py"
    text = path.read_text()
    returned = "        return energies[:, 0]\n"
    spoilt = (
        "        energies = energies[:, 0]\n"
        "        if not torch.jit.is_scripting():\n"
        "            energies = self.spoil(energies)\n"
        "        return energies\n"
    )
    assert text.count(returned) == 1
    text = text.replace(returned, spoilt + SPOIL)
    path.write_text(
        text.replace("import torch\n", "import os\nimport resource\n\nimport torch\n", 1)
    )
    return here / "own"


@pytest.fixture
def options(tiny: Options, write: Callable[..., Path]) -> Options:
    """Written to ``options.yaml``: 14 structures in batches of 4, a checkpoint after each epoch."""
    tiny["architecture"] = {
        "name": "gaussians",
        "model": {"n_radial": 3, "width": 4},
        "training": {"batch_size": 4, "num_epochs": 3, "checkpoint_interval": 1},
    }
    write(tiny)
    return tiny


@pytest.fixture
def broken(options: Options, folders: Path, mtt: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``broken("nan training 6", "train", …)``: the one message of a command that must fail."""

    def broken(fault: str, *command: str | Path) -> str:
        monkeypatch.setenv("FAULT", fault)
        done = mtt(*command, "--architectures", folders)
        monkeypatch.delenv("FAULT")
        assert done.code == 1, done.err
        assert done.err.count("error: ") == 1
        assert "Traceback" not in done.out + done.err
        return str(done.err)

    return broken


def last(here: Path) -> Any:
    """The newest checkpoint; its weights are finite."""
    (path,) = here.glob("outputs/*/*/checkpoints/last.ckpt")
    stored = read(path)
    assert all(value.isfinite().all() for value in stored["model_state_dict"].values())
    return stored


# ------------------------------------------------------------------------- not finite


@pytest.mark.parametrize(
    ("what", "target"),
    [
        ("nan", "the loss of energy, energy forces"),
        ("inf", "the loss of energy, energy forces"),
        ("gradient", "the gradient of last.weight"),
    ],
)
def test_a_loss_that_is_not_finite_moves_no_weight_and_is_named(
    broken: Run, mtt: Run, folders: Path, here: Path, what: str, target: str
) -> None:
    """Epoch, step, target and structures; and the run goes on from there to the end."""
    message = broken(f"{what} training 6", "train", "options.yaml")
    assert "architecture.training.on_nonfinite: epoch 2, step 6: " in message
    assert f"{target} is not finite (structures: " in message
    assert message.count("ethanol.xyz, frame ") == 4
    stored = last(here)["trainer_state"]
    assert (stored["epoch"], stored["batch"], stored["step"]) == (1, 1, 5)
    if what == "nan":
        done = mtt("train", "options.yaml", "--restart", "auto", "--architectures", folders)
        assert done.code == 0, done.err
        assert last(here)["epoch"] == 3


# ----------------------------------------------------------------------- out of memory

SMALLER = "architecture.training.batch_size: no memory is left for "


def test_a_step_without_memory_ends_the_run_with_what_was_in_it_and_what_to_lower(
    broken: Run, mtt: Run, folders: Path, here: Path
) -> None:
    """Everything up to that step is saved; with smaller batches the run goes on."""
    message = broken("memory training 6", "train", "options.yaml")
    assert (
        f"{SMALLER}step 6 in epoch 2, a batch of 4 structures with 36 atoms and 288 pairs"
        in message
    )
    assert "the largest has 9 atoms and 72 pairs (" in message and "ethanol.xyz, frame " in message
    assert "GiB are free for this process; lower it (now 4), or let batch_atoms: auto" in message
    stored = last(here)["trainer_state"]
    assert (stored["epoch"], stored["batch"], stored["step"]) == (1, 1, 5)
    smaller = ("-r", "architecture.training.batch_size=2")
    done = mtt("train", "options.yaml", *smaller, "--restart", "auto", "--architectures", folders)
    assert done.code == 0, done.err


def test_a_process_that_may_have_no_more_memory_leaves_a_valid_checkpoint(
    options: Options, folders: Path, here: Path
) -> None:
    """The limit of the system (ulimit -v), and an allocation that would fit without it."""
    command = [sys.executable, "-m", "mtt", "train", "options.yaml", "--architectures", folders]
    environment = {"FAULT": "limit training 6", "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1, done.stderr
    assert f"{SMALLER}step 6 in epoch 2" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert last(here)["trainer_state"]["step"] >= 4


def test_a_lack_of_memory_is_reported_wherever_it_happens(
    broken: Run, mtt: Run, folders: Path, options: Options, write: Run
) -> None:
    """In the validation, in the export's verification, and in evaluations of both kinds."""
    message = broken("memory other 2", "train", "options.yaml")
    assert f"{SMALLER}the validation of a batch of 4 structures with 36 atoms" in message
    assert mtt("train", "options.yaml", "--architectures", folders).code == 0
    message = broken("memory other 1", "export", "model.ckpt", "-o", "other.pt")
    assert "other.pt: no memory is left for the verification of 3 structures of up to" in message
    assert not Path("other.pt").exists()
    write(options["training_set"], "eval.yaml")
    message = broken("memory other 1", "eval", "model.ckpt", "eval.yaml", "-b", "5")
    assert (
        "no memory is left for the evaluation of a batch of 5 structures with 45 atoms" in message
    )
    assert "evaluate fewer structures at once (-b of `mtt eval`, now 5)" in message


def test_a_structure_that_is_too_large_by_itself_is_named(broken: Run, here: Path) -> None:
    one = ("-r", "architecture.training.batch_size=1")
    message = broken("memory training 2", "train", "options.yaml", *one)
    assert "a batch of 1 structure with 9 atoms" in message
    assert "this structure alone is too large: leave it out, or take a smaller model" in message


def test_a_file_that_does_not_fit_into_memory_is_named(options: Options, here: Path) -> None:
    """Reading under a limit that leaves 6 MiB, for 1600 frames."""
    frames = Path(options["training_set"]["systems"]["read_from"]).read_text()
    Path("large.xyz").write_text(frames * 80)
    Path("small.xyz").write_text(frames)
    sets = "{systems: %s, targets: {energy: {unit: eV}}}"
    Path("data.yaml").write_text(f"[{sets % 'small.xyz'}, {sets % 'large.xyz'}]")
    script = (
        "import resource\n"
        "from mtt.data.memory import OutOfMemory\n"
        "from mtt.data.open_dataset import read_dataset\n"
        "from mtt.options import load_eval_options\n"
        "small, large = load_eval_options('data.yaml')\n"
        "read_dataset(small)  # everything is imported now\n"
        "here = resource.getpagesize() * int(open('/proc/self/statm').read().split()[0])\n"
        "resource.setrlimit(resource.RLIMIT_AS, (here + 6 * 2**20, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    read_dataset(large)\n"
        "except OutOfMemory as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.startswith(
        "large.xyz: no memory is left for reading large.xyz; this machine"
    )
