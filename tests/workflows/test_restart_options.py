"""Restarts with other options: listed where a running training takes them, else refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtt import registry
from mtt.checkpoint import read
from mtt.checkpoint import write as write_checkpoint
from mtt.errors import CheckpointError
from mtt.options import Options, RawOptions, load_options, resolve
from mtt.training import training_schema
from mtt.training.options.on_restart import ACTS
from mtt.workflows.restart.runs import Wanted
from mtt.workflows.restart.source import Restart, find_restart, with_its_options
from mtt.workflows.restart.stored_options import changes, with_checkpoint
from mtt.workflows.run.given import BASELINE, SCALES
from mtt.workflows.run.record import command_of

TRAINING = "architecture.training"
RESTART = ("train", "options.yaml", "--restart", "auto")


@pytest.fixture
def run(trained: Path, here: Path) -> Path:
    """A copy of a finished run of ``options.yaml``, which stands beside it."""
    shutil.copytree(trained / "outputs", here / "outputs")
    shutil.copy(trained / "options.yaml", here / "options.yaml")
    (folder,) = Path("outputs").glob("*/*")
    return folder


@pytest.fixture(scope="module")
def resumed(trained: Path) -> tuple[Options, RawOptions, Restart]:
    """The options, as they are resolved and as they were read, and what is resumed."""
    raw = load_options(trained / "options.yaml")
    architecture = registry.find(raw.architecture_name, ()).load()
    options = resolve(raw, architecture)
    wanted = Wanted(
        command_of(raw.source, "model.pt", (), ()), options.to_dict(), True, architecture
    )
    (last,) = trained.glob("outputs/*/*/checkpoints/last.ckpt")
    restart = find_restart(last, wanted, ())
    assert restart is not None
    return with_its_options(options, raw, restart), raw, restart


def overrides(**training: Any) -> list[str]:
    pairs = {f"{TRAINING}.{key}": json.dumps(value) for key, value in training.items()}
    return [word for key, value in pairs.items() for word in ("-r", f"{key}={value}")]


@pytest.mark.parametrize("option", [*training_schema()["properties"], "younger"])
def test_every_option_that_changes_is_listed_or_refused_by_name(
    resumed: tuple[Options, RawOptions, Restart], option: str
) -> None:
    options, raw, restart = resumed
    # a text in the place of these numbers is the path of a checkpoint
    other = 7.5 if option in (BASELINE, SCALES) else "other"
    training = {**options.architecture["training"], option: other}
    changed = replace(options, architecture={**options.architecture, "training": training})
    listed = [one for one in restart.differences(changed) if one.path[2:] == (option,)]
    assert [(one.key, one.new) for one in listed] == [(f"{TRAINING}.{option}", other)]
    if ACTS.get(option, "before the first step") == "before the first step":
        with pytest.raises(CheckpointError, match=rf"{TRAINING}\.{option} is {other!r} in the opt"):
            with_its_options(changed, raw, restart)
    else:
        assert with_its_options(changed, raw, restart) == changed


def test_retired_options_in_the_checkpoint_of_an_older_version_are_not_changes(
    resumed: tuple[Options, RawOptions, Restart],
) -> None:
    options, _, restart = resumed
    retired = {"num_workers": 4, "distributed": False, "distributed_port": 39591}
    stored = {
        **restart.checkpoint["train_hypers"],
        **retired,
        "log_separate_blocks": False,
    }
    plain = options.to_dict()
    old = with_checkpoint(
        plain, {**restart.checkpoint, "train_hypers": stored}, restart.architecture
    )
    assert changes(old, plain) == []


def test_all_that_cannot_change_is_refused_at_once_with_both_values_and_what_to_do(
    run: Path, refused: Callable[..., str]
) -> None:
    changes = overrides(
        atomic_baseline={"energy": {"1": -1.0}},
        scale_targets=False,
        fixed_scaling_weights={"energy": 2.0},
        prefit={"parameters": ["*"]},
        finetune={"read_from": "options.yaml"},
        num_epochs=3,
    )
    changes += ["-r", "seed=2", "-r", "architecture.model.soap.max_radial=3"]
    lines = refused(*RESTART, *changes).splitlines()
    assert len(lines) == 7
    assert all(line.removeprefix("error: ").startswith(f"{run}/checkpoints/") for line in lines)
    said = "\n".join(lines)
    for change in (
        "scale_targets is False in the options and True in the run",
        "fixed_scaling_weights.energy is 2.0 in the options and not there in the run",
        "prefit is {'parameters': ['*']} in the options and None in the run",
        "finetune.read_from is 'options.yaml' in the options and None in the run",
        "atomic_baseline.energy is {'H': -1.0} in the options and not there in the run",
        "the run has seed 1, the options say 2",
        "max_radial is 3 in the options and 2 in the checkpoint",
        f"put the old value back (-r {TRAINING}.scale_targets=false), or begin a new run",
    ):
        assert change in said, said
    assert "num_epochs" not in said


def test_numbers_named_by_symbol_or_by_a_checkpoint_are_the_same_in_a_restart(
    tiny: dict[str, Any],
    trained: Path,
    write: Callable[..., Path],
    mtt: Callable[..., Any],
    refused: Callable[..., str],
    here: Path,
) -> None:
    shutil.copy(trained / "model.ckpt", "source.ckpt")
    given = {"atomic_baseline": {"energy": {"H": -13.0, 6: -1029.0}}}
    tiny["architecture"]["training"].update(given, fixed_scaling_weights="source.ckpt")
    write(tiny)
    assert mtt("train", "options.yaml", "-r", "final_eval=false").code == 0
    done = mtt(*RESTART, "-r", "final_eval=false", "--dry-run")
    assert "all options are those of the run" in done.out
    said = refused(*RESTART, "-r", f"{TRAINING}.atomic_baseline.energy.H=-14")
    assert "atomic_baseline.energy.H is -14 in the options and -13.0 in the run" in said
    assert f"put the old value back (-r {TRAINING}.atomic_baseline.energy.H=-14)" in said
    weights = read("source.ckpt")
    for state in ("model_state_dict", "best_model_state_dict"):
        weights[state]["scale.values"] = 2 * weights[state]["scale.values"]
    write_checkpoint("source.ckpt", weights)
    assert "fixed_scaling_weights.energy is" in refused(*RESTART)


def test_the_line_of_what_has_to_be_put_back_is_named(
    tiny: dict[str, Any], run: Path, write: Callable[..., Path], refused: Callable[..., str]
) -> None:
    tiny["architecture"]["training"]["scale_targets"] = False
    line = 1 + next(
        i for i, text in enumerate(write(tiny).read_text().splitlines()) if "scale_targets" in text
    )
    assert f"put the old value back (options.yaml:{line}), or begin" in refused(*RESTART)


def test_options_that_differ_are_listed_old_and_new_before_training(
    run: Path, mtt: Callable[..., Any]
) -> None:
    target = "training_set.targets.energy.description=total"
    changes = [*overrides(num_epochs=3, ema={"decay": 0.9}), "-r", target, "-r", "device=cpu"]
    said = mtt(*RESTART, *changes, "--dry-run").out
    rows = said.partition("options that differ from the run's")[2].splitlines()[1:-1]
    assert sorted(row.strip() for row in rows) == [
        f'{TRAINING}.ema: false → {{"decay": 0.9}}',
        f"{TRAINING}.num_epochs: 2 → 3",
        "device: null → cpu",
        'training_set[0].targets.energy.description: "" → total',
    ]
    assert "all options are those of the run" in mtt(*RESTART, "--dry-run").out


def test_an_override_of_the_first_start_is_listed_where_the_restart_leaves_it_out(
    tiny: dict[str, Any], write: Callable[..., Path], mtt: Callable[..., Any], here: Path
) -> None:
    write(tiny)
    soon = overrides(max_time=1e-6, learning_rate=0.004)
    assert mtt("train", "options.yaml", *soon).code == 143
    done = mtt(*RESTART, "--dry-run")
    assert f"{TRAINING}.max_time: 1e-06 → null" in done.out
    assert f"{TRAINING}.learning_rate: 0.004 → 0.001" in done.out


def test_another_optimizer_is_refused_before_anything_is_written(
    run: Path, refused: Callable[..., str]
) -> None:
    assert "was 'adam', not 'sgd'" in refused(*RESTART, *overrides(optimizer="sgd", num_epochs=3))


def test_another_split_is_refused_with_the_option_that_makes_it(
    run: Path, refused: Callable[..., str]
) -> None:
    said = refused(*RESTART, "-r", "validation_set=0.3")
    assert "validation_set is 0.3 in the options and 0.2 in the run" in said
    assert "the training or validation data are not those of the run" in said


def test_elements_that_the_options_leave_out_are_named(
    tiny: dict[str, Any], write: Callable[..., Path], mtt: Callable[..., Any],
    refused: Callable[..., str], here: Path,
) -> None:  # fmt: skip
    write(tiny)
    more = ["-r", "architecture.atomic_types=[1, 6, 8, 9]", *overrides(max_time=1e-6)]
    assert mtt("train", "options.yaml", *more).code == 143
    said = refused(*RESTART)
    assert "the run's model knows F too, which the options leave out" in said
    assert "set architecture.atomic_types: [1, 6, 8, 9]" in said


@pytest.mark.parametrize("lost", ["missing", "damaged", "of another kind"])
def test_lost_options_of_a_run_are_announced_and_its_checkpoint_is_compared(
    run: Path, mtt: Callable[..., Any], refused: Callable[..., str], lost: str
) -> None:
    file = run / "options_restart.yaml"
    file.unlink()
    if lost != "missing":
        file.write_text("architecture: [" if lost == "damaged" else "architecture: {name: 3}\n")
    done = mtt(*RESTART, *overrides(num_epochs=3), "--dry-run")
    assert done.code == 0, done.err
    assert "compared" in done.out
    assert str(file.name) in done.out
    assert f"{TRAINING}.num_epochs: 2 → 3" in done.out
    assert "scale_targets is False" in refused(*RESTART, *overrides(scale_targets=False))


def test_stages_that_are_over_keep_their_options(chain: tuple[dict[str, Any], Path]) -> None:
    from mtt.ranks import SerialRanks
    from mtt.workflows.train import read_inputs

    options, folder = chain
    for stage, refusal in ((0, True), (1, False)):
        changed = json.loads(json.dumps(options))
        changed["architecture"]["training"]["stages"][stage]["learning_rate"] = 0.02
        arguments = (Path("model.pt"), folder / "model.ckpt", (), (), True, SerialRanks())
        if refusal:
            with pytest.raises(CheckpointError, match=r"stages\[0\].learning_rate .* 1 is over"):
                read_inputs(changed, *arguments)
        else:
            plan = read_inputs(changed, *arguments)
            assert plan.restart is not None
            listed = [str(one) for one in plan.restart.differences(plan.options)]
            assert listed == [f"{TRAINING}.stages[1].learning_rate: not there → 0.02"]


@pytest.fixture
def fitted(tiny: dict[str, Any], fit: Callable[..., Any]) -> tuple[dict[str, Any], Any]:
    return tiny, fit(tiny)


def test_a_run_resumes_with_another_number_of_threads(
    fitted: tuple[dict[str, Any], Any], fit: Callable[..., Any]
) -> None:
    import torch

    options, first = fitted
    options["architecture"]["training"]["num_epochs"] = 3
    torch.set_num_threads(2)
    try:
        assert fit(options, "auto").path.samefile(first.path)
    finally:
        torch.set_num_threads(1)
