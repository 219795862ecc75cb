"""Techniques together, as the command line runs them: in one run, over a stop, into a file."""

from __future__ import annotations

import copy
import json
import logging
import os
import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner

from mtt import evaluate, export, load_model, train
from mtt.checkpoint import read
from mtt.cli.main import cli, run
from mtt.errors import MttError
from mtt.training import TrainingInterrupted
from mtt.workflows.run.folder import RunFolder

Fit = Callable[..., RunFolder]
History = Callable[[RunFolder], list[dict[str, Any]]]
WithPrior = Callable[..., dict[str, Any]]
Chain = tuple[dict[str, Any], Path]

EVERYTHING = {
    "ema": {"decay": 0.9},
    "gradient_accumulation": 2,
    "gradient_combination": "config",
    "early_stopping": {"patience": 50},
    "scheduler": {"name": "plateau", "metric": "loss", "patience": 1},
    "loss": {
        "energy": {"weight": {0: 1.0, 2: 3.0}, "forces": {"weight": {0: 5.0, 4: 1.0}}},
    },
    "extended_metrics": True,
    "checkpoint_interval": 1,
}


def trained(options: dict[str, Any], **training: Any) -> dict[str, Any]:
    changed = copy.deepcopy(options)
    changed["architecture"]["training"].update(copy.deepcopy(training))
    return changed


def tensors(value: Any, path: str = "") -> dict[str, Any]:
    """Everything in a checkpoint but what a clock or the way here decides."""
    found: dict[str, Any] = {}
    if path.endswith(".history"):
        value = [{k: v for k, v in row.items() if k != "seconds"} for row in json.loads(value)]
    if isinstance(value, Mapping):
        for key in value:
            if key not in ("provenance", "max_time"):
                found |= tensors(value[key], f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for i, one in enumerate(value):
            found |= tensors(one, f"{path}[{i}]")
    else:
        found[path] = value.tolist() if isinstance(value, torch.Tensor) else value
    return found


def newest() -> RunFolder:
    return RunFolder(max(Path("outputs").glob("*/*")))


@pytest.fixture
def everything(tiny: dict[str, Any]) -> dict[str, Any]:
    """Sixteen structures: eight batches, four steps in an epoch."""
    tiny.update(validation_set=0.1)
    return trained(tiny, batch_size=2, num_epochs=4, **EVERYTHING)


@pytest.mark.parametrize(("epoch", "batch"), [(2, 2), (3, 4), (4, 8)])
def test_all_techniques_together_resume_bit_for_bit_from_within_an_epoch(
    everything: dict[str, Any],
    fit: Fit,
    history: History,
    epoch: int,
    batch: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    straight = fit(everything)

    def stop(category: str, values: Mapping[str, Any], at: int) -> None:
        if category == "progress" and at == epoch and values["batch"] >= batch:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TrainingInterrupted):
        fit(everything, listeners=[stop])
    folder = newest()
    assert read(folder.checkpoints / "last.ckpt")["trainer_state"]["batch"] >= batch
    with caplog.at_level(logging.WARNING, "mtt"):
        caplog.clear()
        fit(everything, "auto")
    assert "repeated from its start" not in caplog.text
    assert tensors(read(folder.checkpoint)) == tensors(read(straight.checkpoint))
    assert history(folder) == history(straight)


def test_the_history_is_strict_json_with_unique_ascending_epochs(
    everything: dict[str, Any], fit: Fit
) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    folder = fit(everything)
    lines = (folder.path / "history.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line, parse_constant=refuse) for line in lines]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert [row["weight energy"] for row in rows] == [1.0, 1.0, 3.0, 3.0]
    state = read(folder.checkpoint)["trainer_state"]
    assert state["step"] == 4 * 4  # sixteen structures, eight batches, four steps
    assert state["parts"]["average"]["n"] == 4 * 4
    assert not list(folder.path.rglob("*.tmp"))
    assert not list(folder.path.rglob("*.part"))


def test_the_state_in_a_checkpoint_is_full_and_plain(everything: dict[str, Any], fit: Fit) -> None:
    stored = read(fit(everything).checkpoint)  # by torch.load(weights_only=True)
    state = stored["trainer_state"]
    assert set(state) == {
        *("version", "epoch", "batch", "epoch_steps", "step", "best_metric", "history", "meter"),
        *("epoch_key", "stage", "stage_start", "origin", "parts", "batch_atoms"),
        *("before_refit", "anchor", "strain_scales"),
        *("skipped", "skipped_in_a_row", "rollbacks", "good"),
    }
    parts = state["parts"]
    assert set(parts) == {"optimizer", "schedule", "average", "early_stopping", "rng"}
    assert set(parts["rng"]) == {"torch", "python", "numpy"}
    assert stored["train_hypers"]["gradient_accumulation"] == 2
    assert {"mtt_version", "torch_version", "seed", "data"} <= set(stored["provenance"])


def test_a_run_that_stopped_early_restarts_and_has_nothing_to_do(
    tiny: dict[str, Any], fit: Fit, history: History, caplog: pytest.LogCaptureFixture
) -> None:
    stopping = {"patience": 2, "min_delta": 1e6}
    folder = fit(trained(tiny, num_epochs=9, early_stopping=stopping))
    # the first epoch is progress by any measure; the two after it are not
    assert [row["epoch"] for row in history(folder)] == [1, 2, 3]
    before = read(folder.checkpoint)
    with caplog.at_level(logging.INFO, "mtt"):
        again = fit(trained(tiny, num_epochs=9, early_stopping=stopping), "auto")
    assert again.path.samefile(folder.path)
    assert "nothing to do" in caplog.text
    assert [row["epoch"] for row in history(folder)] == [1, 2, 3]
    one, two = tensors(read(folder.checkpoint)), tensors(before)
    # set anew by every step, and there was none
    rate = ".trainer_state.parts.optimizer.param_groups[0].lr"
    assert {**one, rate: None} == {**two, rate: None}
    more = fit(trained(tiny, num_epochs=5, early_stopping={**stopping, "patience": 3}), "auto")
    assert [row["epoch"] for row in history(more)] == [1, 2, 3, 4]


def test_another_metric_restarts_the_count_of_epochs_without_progress(
    tiny: dict[str, Any], fit: Fit, history: History
) -> None:
    # forces RMSE is far below the loss, and the other way round: the counts must not mix
    stopping = {"patience": 2, "min_delta": 1e6}
    options = trained(tiny, num_epochs=9, early_stopping=stopping)
    fit(options)
    more = fit(trained(options, best_model_metric="forces RMSE"), "auto")
    assert [row["epoch"] for row in history(more)] == [1, 2, 3, 4, 5, 6]


def test_a_finished_run_keeps_its_best_where_the_metric_changes(
    tiny: dict[str, Any], fit: Fit
) -> None:
    folder = fit(trained(tiny, num_epochs=1))
    last = (folder.checkpoints / "last.ckpt").read_bytes()
    with pytest.raises(MttError, match="the training is over, and epoch 1 is its best by another"):
        fit(trained(tiny, num_epochs=1, best_model_metric="forces RMSE"), "auto")
    assert (folder.checkpoints / "last.ckpt").read_bytes() == last


def test_low_rank_corrections_with_averages_and_two_stages_are_merged_in_what_is_exported(
    chain: Chain, fit: Fit, here: Path, equal_predictions: Callable[..., None]
) -> None:
    options, folder = chain
    source = str(folder / "model.ckpt")
    stages = [{"num_epochs": 1, "optimizer": "adam"}, {"num_epochs": 1, "from": "best"}]
    tuning = {"read_from": source, "method": "lora", "config": {"rank": 2}}
    tuned = fit(trained(options, stages=stages, prefit=None, finetune=tuning, learning_rate=0.01))
    stored = read(tuned.checkpoint)
    before = read(source)["best_model_state_dict"]
    best = stored["best_model_state_dict"]
    assert len(stored["provenance"]["stages"]) == 2
    originals = {name for name in best if name.endswith(".original")}
    assert originals
    for name in originals:
        plain = name.replace(".parametrizations.weight.original", ".weight")
        assert torch.equal(best[name], before[plain])
    merged = load_model(tuned.checkpoint)
    assert not [name for name in merged.state_dict() if "parametrizations" in name]
    equal_predictions(merged, load_model(export(tuned.checkpoint, here / "tuned.zip")))
    with pytest.raises(AssertionError):
        equal_predictions(merged, load_model(source), 1e-6)


def test_a_fine_tuned_model_keeps_the_prior_that_its_source_learnt(chain: Chain, fit: Fit) -> None:
    options, folder = chain
    source = str(folder / "model.ckpt")
    still = {"stages": None, "prefit": None, "ema": False, "num_epochs": 1}
    tuning = {"read_from": source, "method": "heads"}
    stored = read(fit(trained(options, finetune=tuning, **still)).checkpoint)
    before = read(source)["best_model_state_dict"]
    after = stored["model_state_dict"]
    learnt = [name for name in before if name.startswith("prior.")]
    assert learnt
    assert all(torch.equal(before[name], after[name]) for name in learnt)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved


def test_archive_and_export_of_an_averaged_run_evaluate_alike(
    chain: Chain, tiny: dict[str, Any], here: Path
) -> None:
    folder = chain[1]
    archive = export(folder / "model.ckpt", here / "model.zip")
    data = tiny["training_set"]
    found = [
        evaluate(model, data)[0].report.rows
        for model in (folder / "model.ckpt", archive, folder / "model.pt")
    ]
    for one, two, three in zip(*found, strict=True):
        assert (one.rmse, one.mae) == (two.rmse, two.mae)
        assert three.rmse == pytest.approx(one.rmse, rel=1e-8)
        assert three.mae == pytest.approx(one.mae, rel=1e-8)
    Path("eval.yaml").write_text(json.dumps(data))
    result = CliRunner().invoke(cli, ["eval", str(archive), "eval.yaml"], catch_exceptions=False)
    assert result.exit_code == 0
    assert f"{next(r for r in found[0] if r.quantity == 'forces').rmse:.4g}" in result.output


def test_a_restart_with_another_optimizer_is_refused(tiny: dict[str, Any], fit: Fit) -> None:
    fit(trained(tiny, num_epochs=1))
    with pytest.raises(MttError, match=r"checkpoint was 'adam', not 'sgd'") as caught:
        fit(trained(tiny, num_epochs=2, optimizer="sgd"), "auto")
    assert "finetune.read_from" in str(caught.value)


@pytest.mark.parametrize(
    ("training", "key", "reason"),
    [
        ({"optimizer": "schedulefree_adamw", "ema": True}, "ema", "averages the weights itself"),
        ({"optimizer": "lbfgs", "gradient_combination": "config"}, "gradient_combination", "line"),
        ({"amp": "bf16"}, "amp", "mixed precision works on float32; the model has 64 bits"),
        ({"tf32": True}, "tf32", "there is no TF32 on cpu"),
        ({"prefit": {"parameters": ["prior.*"]}}, "parameters", "matches none of the parameters"),
        ({"best_model_metric": "force RMSE"}, "best_model_metric", "unknown metric"),
        ({"max_time": "1:2:3:4"}, "max_time", "not a valid training time"),
    ],
)
def test_a_dry_run_refuses_what_clashes_with_the_line_of_the_option(
    tiny: dict[str, Any], here: Path, training: dict[str, Any], key: str, reason: str
) -> None:
    text = yaml.safe_dump({**trained(tiny, **training), "device": "cpu"})
    Path("options.yaml").write_text(text)
    lines = [one.strip().partition(":")[0] for one in text.splitlines()]
    line = 1 + lines.index(key)
    with pytest.raises(MttError, match=reason) as caught:
        train("options.yaml", dry_run=True)
    assert re.search(rf"options\.yaml:{line}\b.*{key}", str(caught.value)), caught.value
    assert [path.name for path in here.iterdir()] == ["options.yaml"]


def test_a_clash_within_a_stage_is_reported_with_its_line(tiny: dict[str, Any]) -> None:
    clash = {"num_epochs": 1, "optimizer": "schedulefree_sgd", "ema": True}
    text = yaml.safe_dump(trained(tiny, stages=[{"num_epochs": 1}, clash]))
    Path("options.yaml").write_text(text)
    line = 1 + next(i for i, one in enumerate(text.splitlines()) if "ema:" in one)
    with pytest.raises(MttError, match="averages the weights itself") as caught:
        train("options.yaml", dry_run=True)
    assert f"options.yaml:{line} architecture.training.stages[1].ema" in str(caught.value)


def test_max_time_stops_with_143_and_the_run_ends_as_if_it_had_not_stopped(
    tiny: dict[str, Any], fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    options = trained(tiny, num_epochs=3, ema=True)
    straight = fit(options)
    Path("options.yaml").write_text(yaml.safe_dump(options))
    soon = "architecture.training.max_time=1e-6"
    assert run(["train", "options.yaml", "-r", soon]) == 143
    said = " ".join(capsys.readouterr().err.split())
    assert "stopped by max_time in epoch 1 and saved" in said
    assert "--restart auto" in said
    folder = newest()
    stopped = read(folder.checkpoints / "last.ckpt")["trainer_state"]
    assert (stopped["epoch"], stopped["batch"]) == (0, 1)
    fit("options.yaml", "auto")
    assert tensors(read(folder.checkpoint)) == tensors(read(straight.checkpoint))
