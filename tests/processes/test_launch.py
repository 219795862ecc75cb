"""``mtt train --nproc``: the processes of one machine, and what is left to say when they end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from mtt.checkpoint import read
from mtt.errors import TrainingError
from mtt.processes.launch import _hangup_terminates, _outcome, number_of_processes


def test_two_processes_train_and_print_and_write_once(tiny: dict[str, Any], tmp_path: Path) -> None:
    tiny["architecture"]["training"]["num_epochs"] = 1
    (tmp_path / "options.yaml").write_text(yaml.safe_dump(tiny))
    # a module of the working folder must not take the place of mtt
    (tmp_path / "mtt.py").write_text("raise SystemExit('this is not mtt')")
    words = [sys.executable, "-P", "-m", "mtt", "train", "options.yaml", "--nproc", "2"]
    words += ["-r", "final_eval=false", "-r", "architecture.training.batch_size=6"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(": training with options.yaml") == 1
    assert done.stdout.count("2 ranks share every batch: 6 structures, 3 on each rank") == 1
    assert len(list(tmp_path.glob("outputs/*/*"))) == 1
    stored = read(tmp_path / "model.ckpt")
    assert stored["train_hypers"]["batch_size"] == 6
    assert "rank 1" in stored["trainer_state"]["parts"]["rng"]


@pytest.mark.parametrize("ignored", [True, False])
def test_a_hangup_is_a_termination_unless_it_is_ignored_as_by_nohup(ignored: bool) -> None:
    seen: list[int] = []
    handlers = {one: signal.getsignal(one) for one in (signal.SIGHUP, signal.SIGTERM)}
    try:
        signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
        signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
        before = signal.getsignal(signal.SIGHUP)
        with _hangup_terminates():
            signal.raise_signal(signal.SIGHUP)
        assert seen == ([] if ignored else [signal.SIGTERM])
        assert signal.getsignal(signal.SIGHUP) == before
    finally:
        for one, handler in handlers.items():
            signal.signal(one, handler)


def test_a_process_that_could_say_nothing_is_spoken_for() -> None:
    with pytest.raises(TrainingError, match=r"rank 1 was ended by SIGKILL \(as the system does wh"):
        _outcome({0: -15, 1: -9})
    with pytest.raises(TrainingError, match="rank 0 was ended by SIGSEGV, and so the training"):
        _outcome({0: -11})
    assert _outcome({0: 1, 1: 70}) == 70
    assert _outcome({0: -9, 1: 1}) == 1  # the rank that is left has said it
    assert _outcome({0: 143, 1: 143}) == 143


@pytest.mark.parametrize("wish", ["0", "-1", "two", "1.5", "", "99999"])
def test_a_number_of_processes_that_is_none_is_refused(wish: str) -> None:
    with pytest.raises(TrainingError, match=f"--nproc {wish}: this is not a number of processes"):
        number_of_processes(wish, {})


def test_the_number_of_processes_is_given_or_that_of_gpus() -> None:
    assert number_of_processes("3", {}) == 3
    if torch.cuda.is_available():
        assert number_of_processes("gpu", {}) == torch.cuda.device_count()
    else:
        with pytest.raises(TrainingError, match="no GPU is on this machine; give a number"):
            number_of_processes("gpu", {})
    of_torchrun = {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "a", "MASTER_PORT": "1"}
    with pytest.raises(TrainingError, match=r"one of several already.*leave --nproc out"):
        number_of_processes("2", of_torchrun)
