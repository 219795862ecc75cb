"""The baselines of the best weights, fitted after the last epoch."""

import logging
import os
import signal

import numpy as np
import pytest
import torch

from mtt.checkpoint import read
from mtt.data import Dataset
from mtt.training import TrainingInterrupted

TABLE = "composition.values"
# steps so large that the average of the weights is far from each of them
ROUGH = {
    "num_epochs": 4,
    "learning_rate": 0.05,
    "scheduler": "constant",
    "warmup_fraction": 0.0,
    "ema": {"decay": 0.8},
}


@pytest.fixture
def run(make_model, make_trainer, dataset, validation, restart, tmp_path):
    """``run(name, **options)`` trains in a folder, from its last checkpoint if there is one."""

    def fit(name, *listeners, training=None, judged=None, source="last.ckpt", **options):
        folder = tmp_path / name
        trainer = make_trainer(listeners=listeners, **{**ROUGH, **options})
        model = make_model(dropout=0.2)
        if (folder / source).exists():
            model, trainer = restart(folder / source, trainer)
        sets = [training or dataset], [judged or validation]
        trainer.train(model, torch.float64, [torch.device("cpu")], *sets, str(folder))
        return read(folder / "last.ckpt")

    return fit


@pytest.fixture(scope="session")
def relabelled():
    """A frame with another energy, in eV."""

    def make(frame, energy):
        label = frame.labels["energy"]._replace(values=np.full((1, 1), energy))
        return frame._replace(labels={"energy": label})

    return make


def labels(frames):
    """Energies in eV."""
    return [frame.labels["energy"].values for frame in frames]


def test_the_mean_error_of_the_training_set_is_zero_and_all_other_weights_are_as_without_it(
    assert_equal, run, make_batch, make_model, dataset, caplog
):
    with caplog.at_level(logging.INFO):
        fitted = run("with")
    plain = run("without", refit_baseline=False)
    best, before = fitted["best_model_state_dict"], plain["best_model_state_dict"]
    assert_equal({**best, TABLE: before[TABLE]}, before)
    assert not torch.equal(best[TABLE], before[TABLE])
    assert_equal(fitted["model_state_dict"], plain["model_state_dict"])

    model = make_model().to(torch.float64).eval()
    batch = make_batch(dataset, model)
    labels, sizes = batch.targets["energy"].values, batch.n_atoms[:, None]
    errors = []
    for weights in (before, best):
        model.load_state_dict(weights)
        energies = model.predict_targets(batch.graph)["energy"].values.detach()
        errors.append((energies - labels) / sizes)
    shares = dataset.composition((1, 6)) / sizes
    expected = np.linalg.lstsq(shares.numpy(), -errors[0].numpy(), rcond=None)[0]
    np.testing.assert_allclose((best[TABLE] - before[TABLE]).numpy(), expected, atol=1e-10)
    assert abs(float(errors[0].mean())) > 1e-3
    assert abs(float(errors[1].mean())) < 1e-11

    facts = fitted["provenance"]["refit"]["targets"]["energy"]
    assert facts["mean_error"] == [pytest.approx(float(one.mean()), abs=1e-11) for one in errors]
    rmse = [float(one.square().mean().sqrt()) for one in errors]
    assert facts["rmse"] == [pytest.approx(one, rel=1e-9) for one in rmse]
    assert "refit" not in plain["provenance"]
    assert plain["trainer_state"]["before_refit"] == {}
    lines = [record.message for record in caplog.records if "shifted by" in record.message]
    assert len(lines) == 1
    assert lines[0].startswith("after the last epoch: energy shifted by H ")


def test_the_best_metric_is_the_validation_of_what_is_exported(run, rows, tmp_path):
    ends = []
    stored = run("one", lambda kind, values, epoch: kind == "end" and ends.append(values))
    row = rows(stored)[stored["best_epoch"] - 1]
    before, after = stored["provenance"]["refit"]["best_metric"]
    assert row["validation loss"] == before > after == stored["best_metric"]
    assert stored["provenance"]["refit"]["validation"]["validation loss"] == after
    assert ends[0]["best_metric"] == after
    assert ends[0]["refit"] == stored["provenance"]["refit"]
    # best.ckpt shows the same best; what it resumes from is as it was
    best = read(tmp_path / "one" / "best.ckpt")
    assert best["best_metric"] == after
    assert torch.equal(best["best_model_state_dict"][TABLE], stored["best_model_state_dict"][TABLE])
    assert best["epoch"] == stored["best_epoch"]


@pytest.mark.parametrize("source", ["last.ckpt", "best.ckpt"])
def test_a_run_that_is_continued_past_the_fit_is_one_that_never_stopped(
    assert_equal, run, tmp_path, source
):
    straight = run("straight", num_epochs=7)
    ended = run("in two")
    assert ended["trainer_state"]["before_refit"]["value"] != ended["best_metric"]
    continued = run("in two", num_epochs=7, source=source)
    assert_equal(continued, straight)
    best = [read(tmp_path / name / "best.ckpt") for name in ("straight", "in two")]
    hypers = [one.pop("train_hypers") for one in best]
    assert {one["num_epochs"] for one in hypers} <= {4, 7}
    assert_equal(best[0]["best_model_state_dict"], best[1]["best_model_state_dict"])


def test_a_finished_run_is_fitted_to_the_same_numbers_and_the_option_takes_them_back(
    assert_equal, run, tmp_path
):
    first = run("one")
    assert_equal(run("one"), first)
    plain = run("one", refit_baseline=False)
    assert "refit" not in plain["provenance"]
    before = first["trainer_state"]["before_refit"]
    assert plain["best_metric"] == before["value"]
    assert torch.equal(plain["best_model_state_dict"][TABLE], before["weights"][TABLE])
    best = read(tmp_path / "one" / "best.ckpt")
    assert_equal(best["best_model_state_dict"], plain["best_model_state_dict"])
    assert "refit" not in best["provenance"]


def test_a_fit_that_would_worsen_the_validation_is_not_taken(
    assert_equal, run, relabelled, frames, dataset, caplog
):
    # the validation wants lower energies where the training set wants higher ones
    facts = run("sign")["provenance"]["refit"]["targets"]["energy"]
    far = [
        relabelled(frame, one.item() + 10 * facts["mean_error"][0] * len(frame.numbers))
        for frame, one in zip(frames[16:], labels(frames[16:]), strict=True)
    ]
    judged = Dataset.from_frames(far, dataset.info)
    options = {"judged": judged, "best_model_metric": "forces RMSE"}
    with caplog.at_level(logging.INFO):
        stored = run("refused", **options)
    without = run("without", refit_baseline=False, **options)
    assert_equal(stored["best_model_state_dict"], without["best_model_state_dict"])
    assert stored["best_metric"] == without["best_metric"]
    (why,) = stored["provenance"]["refit"]["not_taken"].values()
    assert why.startswith("RMSE on the validation set would rise from ")
    assert f"the baseline of energy is not refitted: {why}" in caplog.text


def test_a_fit_that_would_worsen_the_best_metric_is_not_taken(
    run, relabelled, make_batch, make_model, frames, dataset, validation, caplog
):
    still = {"learning_rate": 1e-300, "ema": False, "num_epochs": 1}
    stored = run("sign", **still)
    before = stored["trainer_state"]["before_refit"]["weights"][TABLE]
    weights = {**stored["best_model_state_dict"], TABLE: before}
    model = make_model().to(torch.float64).eval()
    model.load_state_dict(weights)
    energies = model.predict_targets(make_batch(validation, model).graph)["energy"].values.detach()
    change = validation.composition((1, 6)) @ (stored["best_model_state_dict"][TABLE] - before)
    # two of six errors are twice the change, the others none: the fit lowers the mean square and
    # raises the mean size
    wanted = energies + change * torch.tensor([[2.0], [2.0], [0.0], [0.0], [0.0], [0.0]])
    made = [relabelled(frame, one.item()) for frame, one in zip(frames[16:], wanted, strict=True)]
    judged = Dataset.from_frames(made, dataset.info)
    with caplog.at_level(logging.INFO):
        refused = run("refused", judged=judged, best_model_metric="energy MAE", **still)
    assert torch.equal(refused["best_model_state_dict"][TABLE], before)
    (why,) = refused["provenance"]["refit"]["not_taken"].values()
    assert why.startswith("energy MAE on the validation set would change from ")
    assert f"the baselines are not refitted: {why}" in caplog.text
    taken = run("taken", judged=judged, best_model_metric="energy RMSE", **still)
    assert not torch.equal(taken["best_model_state_dict"][TABLE], before)


def test_given_numbers_are_kept(run):
    given = {"energy": {"C": -101.0}}
    stored = run("one", atomic_baseline=given)
    shift = stored["provenance"]["refit"]["targets"]["energy"]["shift"]
    assert set(shift) == {"H"}
    assert stored["best_model_state_dict"][TABLE][1].item() == -101.0
    whole = run("two", atomic_baseline={"energy": -100.0})
    assert "refit" not in whole["provenance"]
    assert whole["best_model_state_dict"][TABLE].tolist() == [[-100.0]] * 2


def test_one_structure_and_forces_alone_are_trained_as_ever(
    run, relabelled, frames, dataset, caplog
):
    one = run("one", training=Dataset.from_frames(frames[:1], dataset.info))
    assert one["epoch"] == 4
    unlabelled = [relabelled(frame, np.nan) for frame in frames]
    parts = [Dataset.from_frames(part, dataset.info) for part in (unlabelled[:16], unlabelled[16:])]
    with caplog.at_level(logging.INFO):
        caplog.clear()
        stored = run("forces", training=parts[0], judged=parts[1], best_model_metric="forces RMSE")
    assert "refit" not in stored["provenance"]
    assert "refit" not in caplog.text


def test_fine_tuning_with_a_kept_baseline_is_not_refitted(run, caplog):
    kept = {"finetune": {"read_from": "other.ckpt", "baseline": "keep"}}
    with caplog.at_level(logging.INFO):
        stored = run("kept", **kept)
    assert "refit" not in stored["provenance"]
    assert caplog.text.count("the baselines stay what they are (finetune.baseline: keep)") == 1
    free = run("free", finetune={"read_from": "other.ckpt"})
    assert free["provenance"]["refit"]["targets"]


def test_a_run_that_ends_early_is_fitted_too(run):
    stored = run("one", num_epochs=30, early_stopping={"patience": 1, "min_delta": 1e6})
    assert stored["epoch"] < 30
    assert stored["provenance"]["refit"]["targets"]


def test_a_stop_during_the_fit_keeps_the_training_and_a_restart_fits(
    assert_equal, run, monkeypatch, tmp_path
):
    straight = run("straight")

    def stop(kind, values, epoch):
        if kind == "epoch" and epoch == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(
        TrainingInterrupted, match="stopped by SIGTERM after the last epoch and saved"
    ):
        run("stopped", stop)
    saved = read(tmp_path / "stopped" / "last.ckpt")
    assert saved["epoch"] == 4
    assert saved["trainer_state"]["before_refit"] == {}
    assert_equal(run("stopped"), straight)
