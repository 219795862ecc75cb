"""Every command, on a real tiny model and real data."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import torch
from metatomic.torch import load_atomistic_model

from mtt.checkpoint import read

Mtt = Callable[..., Any]
Write = Callable[..., Path]


@pytest.fixture
def data(tiny: dict[str, Any]) -> dict[str, Any]:
    """Options of ``mtt eval``: the data of the training, with labels."""
    return {name: tiny["training_set"][name] for name in ("systems", "targets")}


def test_train_with_a_dry_run_checks_all_and_writes_nothing(
    mtt: Mtt, write: Write, tiny: dict[str, Any], listing: Callable[[], dict[str, bytes]]
) -> None:
    write(tiny)
    before = listing()
    done = mtt("train", "options.yaml", "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert "training set: 14 structures of 9 atoms (H 84, C 28, O 14)" in done.out
    assert "soap_bpnn with" in done.out
    assert listing() == before


def test_train_trains_exports_and_evaluates(mtt: Mtt, write: Write, tiny: dict[str, Any]) -> None:
    write(tiny)
    done = mtt("train", "options.yaml", "-o", "own", "-r", "architecture.training.num_epochs=1")
    assert (done.code, done.err) == (0, "")
    for text in ("run folder: outputs/", "epoch 1/1", "errors on the validation set", "own.pt"):
        assert text in done.out
    assert Path("own.pt").is_file()
    assert read("own.ckpt")["epoch"] == 1


def test_train_resumes_with_restart_auto(trained: Path, mtt: Mtt, here: Path) -> None:
    # nothing to do, so that the run folder of the shared model stays as it is
    (here / "options.yaml").write_text((trained / "options.yaml").read_text())
    done = mtt("train", "options.yaml", "--restart", trained / "model.ckpt", "--dry-run")
    assert done.code == 0
    assert "model.ckpt, after epoch 2" in done.out


@pytest.mark.parametrize("model", ["model.pt", "model.ckpt"])
def test_eval_scores_and_writes_predictions(
    mtt: Mtt, write: Write, data: dict[str, Any], trained: Path, model: str
) -> None:
    write(data, "eval.yaml")
    done = mtt("eval", trained / model, "eval.yaml", "-o", "out.xyz", "-b", "7")
    assert (done.code, done.err) == (0, "")
    assert "meV/Å" in done.out
    assert "wrote out.xyz" in done.out
    frames = ase.io.read("out.xyz", ":")
    assert len(frames) == 20
    assert frames[0].get_potential_energy() == pytest.approx(-309.7, abs=1.0)


def test_eval_shows_elements_angles_and_largest_errors_where_asked_for(
    mtt: Mtt, write: Write, data: dict[str, Any], trained: Path
) -> None:
    write({**data, "name": "ethanol"}, "eval.yaml")
    done = mtt("eval", trained / "model.pt", "eval.yaml", "-b", "7", "--extended")
    assert (done.code, done.err) == (0, "")
    assert "errors on ethanol:" in done.out
    assert "largest" in done.out
    assert "forces C " in done.out
    assert "mean forces cosine: " in done.out
    plain = mtt("eval", trained / "model.pt", "eval.yaml", "-b", "7").out
    assert not any(word in plain for word in ("largest", "forces C ", "cosine"))


def test_eval_of_both_files_agrees_and_needs_no_labels(
    mtt: Mtt, write: Write, data: dict[str, Any], trained: Path
) -> None:
    write({"systems": data["systems"]}, "eval.yaml")
    found = []
    for model in ("model.pt", "model.ckpt"):
        done = mtt("eval", trained / model, "eval.yaml")
        assert done.code == 0
        assert "RMSE" not in done.out
        frames = ase.io.read("output.xyz", ":")
        found.append([(atoms.get_potential_energy(), atoms.get_forces()) for atoms in frames])
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one[0], two[0], rtol=1e-10)
        np.testing.assert_allclose(one[1], two[1], atol=1e-7)  # as written in the file


def test_export_takes_metadata_and_precision(mtt: Mtt, trained: Path) -> None:
    Path("metadata.yaml").write_text("name: tiny\nauthors: [Ada]\nreferences: {model: [none]}\n")
    arguments = ("-m", "metadata.yaml", "--dtype", "float32", "-o", "small.pt")
    done = mtt("export", trained / "model.ckpt", *arguments)
    assert (done.code, done.err) == (0, "")
    whose, written = done.out.splitlines()
    assert whose.startswith(f"{trained / 'model.ckpt'}: the best weights, of epoch ")
    assert written == "wrote small.pt"
    model = load_atomistic_model("small.pt")
    assert model.capabilities().dtype == "float32"
    assert model.metadata().name == "tiny"
    assert model.metadata().authors == ["Ada"]


def test_export_rewrites_the_metadata_of_a_checkpoint(mtt: Mtt, trained: Path) -> None:
    Path("metadata.yaml").write_text("description: for tests\n")
    done = mtt("export", trained / "model.ckpt", "-m", "metadata.yaml", "-o", "named.ckpt")
    assert (done.code, done.err) == (0, "")
    old, new = read(trained / "model.ckpt"), read("named.ckpt")
    assert new["metadata"]["description"] == "for tests"
    assert new["metadata"]["name"] == old["metadata"]["name"]
    torch.testing.assert_close(new["model_state_dict"], old["model_state_dict"])


def test_show_describes_a_file(mtt: Mtt, trained: Path) -> None:
    done = mtt("show", trained / "model.ckpt")
    assert done.code == 0
    for text in ("kind: checkpoint", "architecture: soap_bpnn", "epoch: 2", "seed: 1"):
        assert text in done.out
    told = json.loads(mtt("show", trained / "model.ckpt", "--json").out)
    assert told["targets"]["energy"]["unit"] == "eV"
    told = json.loads(mtt("show", trained / "model.pt", "--json").out)
    assert told["kind"] == "exported model"
    assert told["capabilities"]["dtype"] == "float64"


def test_architectures_lists_and_shows(mtt: Mtt, root: Path) -> None:
    done = mtt("architectures", "--architectures", root / "examples" / "architecture")
    assert done.code == 0
    assert "soap_bpnn" in done.out
    assert "gaussians" in done.out
    done = mtt("architectures", "soap_bpnn")
    assert done.code == 0
    for text in ("default options:", "max_radial: 7", "what they mean", "authors:", "papers:"):
        assert text in done.out


def test_architectures_whose_packages_are_missing_come_last_with_their_pip_line(
    mtt: Mtt, root: Path
) -> None:
    folder = Path("own/gaussians")
    shutil.copytree(root / "examples" / "architecture" / "gaussians", folder)
    text = (folder / "__init__.py").read_text()
    more = '\n__extra__ = "smooth"\n__packages__ = ("absent_package",)\n'
    (folder / "__init__.py").write_text(text + more)
    done = mtt("architectures", "--architectures", "own")
    assert (done.code, done.err) == (0, "")
    listed, _, later = done.out.partition("not installed yet:")
    assert "soap_bpnn" in listed
    assert "gaussians" not in listed
    assert "gaussians" in later
    assert "needs absent_package: pip install 'mtt[smooth]'" in later
    done = mtt("architectures", "gaussians", "--architectures", "own")
    assert "not installed yet: absent_package; pip install 'mtt[smooth]'" in done.out


def test_data_stats_of_a_file(mtt: Mtt, alloy: Path) -> None:
    done = mtt("data", "stats", alloy)
    assert (done.code, done.err) == (0, "")
    assert "12 structures of 4 atoms" in done.out
    assert "energy stress" in done.out


def test_packed_data_train_like_the_files(
    mtt: Mtt, write: Write, tiny: dict[str, Any], data: dict[str, Any], trained: Path
) -> None:
    write(data, "data.yaml")
    done = mtt("data", "pack", "data.yaml", "-o", "packed")
    assert (done.code, done.out, done.err) == (0, "packed 20 structures into packed\n", "")
    assert "20 structures of 9 atoms" in mtt("data", "stats", "packed").out
    tiny["training_set"]["systems"]["read_from"] = "packed"
    write(tiny, "packed.yaml")
    assert mtt("train", "packed.yaml").code == 0
    assert losses(Path()) == losses(trained)


def losses(folder: Path) -> list[dict[str, Any]]:
    (history,) = folder.glob("outputs/*/*/history.jsonl")
    rows = [json.loads(line) for line in history.read_text().splitlines()]
    return [{**row, "seconds": None} for row in rows]


def test_usage_is_exit_code_2(mtt: Mtt) -> None:
    done = mtt("train")
    assert done.code == 2
    assert "Missing argument 'OPTIONS'" in done.err
    assert mtt("tarin", "options.yaml").code == 2


def test_version_and_help_are_exit_code_0(mtt: Mtt) -> None:
    assert mtt("--version").out.startswith("mtt, version ")
    assert "Usage: mtt" in mtt("--help").out


def test_a_bug_is_exit_code_70_with_a_report(
    mtt: Mtt, write: Write, tiny: dict[str, Any], here: Path
) -> None:
    folder = here / "broken"
    folder.mkdir()
    source = Path(__file__).resolve().parent.parent / "resources" / "architectures" / "radial_sum"
    for path in source.glob("*.*"):
        (folder / path.name).write_text(path.read_text().replace("radial_sum", "broken"))
    trainer = folder / "trainer.py"
    trainer.write_text(trainer.read_text().replace("model.to(dtype)", "model.too(dtype)"))
    tiny["architecture"] = {"name": "broken", "model": {"cutoff": 3.0}}
    write(tiny)
    done = mtt("train", "options.yaml", "--architectures", folder)
    assert done.code == 70
    assert "this is a bug in mtt or in the architecture: AttributeError" in done.err
    assert "Traceback" not in done.err
    report = Path(done.err.split("full report: ")[1].strip())
    assert "model.too(dtype)" in report.read_text()
    report.unlink()


def test_options_of_metatrains_commands_are_accepted(
    mtt: Mtt, trained: Path, write: Write, tiny: dict[str, Any], here: Path
) -> None:
    for command in (("train", "options.yaml", "--dry-run"), ("export", trained / "model.ckpt")):
        write(tiny)
        done = mtt(*command, "-e", "extensions")
        assert (done.code, done.err) == (0, "")
        assert "-e extensions: exported files need no extensions; none are written" in done.out
    assert not (here / "extensions").exists()
    write({key: tiny["training_set"][key] for key in ("systems", "targets")}, "eval.yaml")
    here.joinpath("extensions").mkdir()
    for options in (["--no-warm-up"], ["--warm-up", "--extensions-dir", "extensions"]):
        done = mtt("eval", "model.pt", "eval.yaml", "-b", "7", "--check-consistency", *options)
        assert (done.code, done.err) == (0, "")
    done = mtt("eval", "model.pt", "eval.yaml", "-e", "nowhere")
    assert (done.code, done.err) == (0, "")
    assert "-e nowhere: this folder does not exist; files that mtt exported need none" in done.out


def test_bash_completes_commands_options_and_files(mtt: Mtt) -> None:
    script = mtt("--shell-completion").out.strip()
    program = (
        f"source {script}; mtt() {{ {sys.executable} -m mtt; }}\n"
        "compopt() { echo compopt $*; }\n"
        'for words in "mtt tr" "mtt train --rest" "mtt train opt"; do\n'
        "  COMP_WORDS=($words); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _mtt_completion mtt\n"
        '  echo "${COMPREPLY[@]}"\n'
        "done; complete -p mtt"
    )
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:4] == [
        "train", "--restart", "compopt -o default", "",
    ]  # fmt: skip
    assert done.stdout.rstrip().endswith("-F _mtt_completion mtt")
