"""The best epoch is not chosen by errors whose labels are zero or rounding noise."""

import logging

import numpy as np
import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.data import Dataset
from mtt.data.frames import Frame, FrameLabels
from mtt.training.scoring.label_noise import label_noise

INFO = DatasetInfo("angstrom", (1, 6), {"energy": TargetInfo.energy(forces=True)})
SETTINGS = {"best_model_metric": "mae_prod", "num_epochs": 6, "log_mae": True}


def scan(n, noise=0.0, symbol=6, info=INFO, name=""):
    """Simple cubic carbon at ``n`` volumes: its forces vanish by symmetry."""
    random = np.random.default_rng(n)
    frames = []
    for i, length in enumerate(np.linspace(2.0, 3.0, n)):
        energy = np.array([[-9.0 + (length - 2.4) ** 2]])
        labels = FrameLabels(energy, noise * random.choice([-1.0, 1.0], size=(1, 3)))
        frames.append(
            Frame(
                numbers=np.array([symbol]),
                positions=np.zeros((1, 3)),
                cell=length * np.eye(3),
                pbc=np.ones(3, bool),
                labels={"energy": labels},
                extra={},
                source=f"scan.xyz, frame {i}",
            )
        )
    return Dataset.from_frames(frames, info, name=name)


def fit(trainer, model, training, sets, folder):
    trainer.train(model, torch.float64, [torch.device("cpu")], [training], sets, str(folder))
    return trainer._state


@pytest.mark.parametrize(("noise", "left_out"), [(0.0, True), (1e-8, True), (1e-2, False)])
def test_noise_is_measured_by_the_spread_of_the_energies(make_model, noise, left_out):
    found = label_noise([("", scan(5, noise))], make_model())
    assert ("forces" in found.noise) is left_out
    assert "energy" not in found.noise


def test_sets_are_judged_each_and_together(make_model):
    sets = [("still", scan(5)), ("moved", scan(5, 0.5))]
    assert label_noise(sets, make_model()).noise == {"still forces"}


def test_a_set_without_labels_is_not_one_of_noise(make_model):
    assert not label_noise([("", scan(4, np.nan))], make_model()).noise


@pytest.mark.parametrize("noise", [0.0, 1e-9])
def test_the_product_is_that_of_the_energy_where_forces_vanish_by_symmetry(
    make_model, make_trainer, tmp_path, caplog, noise
):
    trainer = make_trainer(early_stopping={"patience": 2}, **SETTINGS)
    with caplog.at_level(logging.INFO, "mtt"):
        state = fit(trainer, make_model(), scan(8, noise), [scan(5, noise)], tmp_path)
    errors = [row["validation energy MAE"] / 1e3 for row in state.history]  # shown in meV
    assert state.best.metric == "mae_prod without forces"
    assert state.best.value == pytest.approx(min(errors), rel=1e-12)
    assert state.best.epoch == 1 + int(np.argmin(errors)) > 1
    assert trainer._fit.stage.early_stopping.best == state.best.value
    (said,) = (line for line in caplog.messages if line.startswith("mae_prod"))
    assert said == (
        "mae_prod is energy MAE without forces MAE: all validation labels of it are zero or "
        "rounding noise"
    )
    assert any(f"({state.best.metric} " in line for line in caplog.messages)


def test_forces_that_are_real_take_part_in_the_product(make_model, make_trainer, train, caplog):
    trainer = make_trainer(**SETTINGS)
    with caplog.at_level(logging.INFO, "mtt"):
        train(trainer, make_model())
    products = [
        row["validation energy MAE"] * row["validation forces MAE"] / 1e6
        for row in trainer._state.history
    ]
    assert trainer._state.best.value == pytest.approx(min(products), rel=1e-12)
    assert trainer._state.best.metric == "mae_prod"
    assert not [line for line in caplog.messages if "noise" in line]


def test_an_exact_zero_does_not_hide_the_other_errors(make_model):
    """A target that is learnt to the last digit in one epoch would make it the best for ever."""
    from mtt.options.training import parse
    from mtt.training.losses.from_options import make_loss
    from mtt.training.scoring.best import BestRule

    hypers = parse({"best_model_metric": "rmse_prod"})
    noise = label_noise([("", scan(5, 0.5))], make_model())
    rule = BestRule(hypers, INFO, make_loss(hypers, INFO, {"energy": 1.0}), (), noise)
    values = [
        rule.value({"energy RMSE": energy, "forces RMSE": 0.0}) for energy in (0.5, 0.25, 0.125)
    ]
    assert values[0] == 2 * values[1] == 4 * values[2] > 0
    assert rule.value({"energy RMSE": 0.5, "forces RMSE": 1.0}) == 0.5
    assert np.isnan(rule.value({"energy RMSE": float("nan"), "forces RMSE": 1.0}))


def test_a_run_that_was_stopped_chooses_the_same_epoch(
    make_model, make_trainer, restart, assert_equal, tmp_path
):
    half = {**SETTINGS, "num_epochs": 3, "scheduler": "constant"}
    settings = {**SETTINGS, "scheduler": "constant"}
    whole = fit(make_trainer(**settings), make_model(), scan(8), [scan(5)], tmp_path / "a")
    fit(make_trainer(**half), make_model(), scan(8), [scan(5)], tmp_path / "b")
    model, trainer = restart(tmp_path / "b" / "last.ckpt", make_trainer(**settings))
    again = fit(trainer, model, scan(8), [scan(5)], tmp_path / "b")
    assert (again.best.metric, again.best.epoch) == (whole.best.metric, whole.best.epoch)
    assert again.best.value == whole.best.value
    assert_equal(again.best.weights, whole.best.weights)


@pytest.mark.parametrize("metric", ["forces RMSE", "still forces RMSE"])
def test_a_metric_of_noise_alone_is_warned_of(make_model, make_trainer, tmp_path, caplog, metric):
    trainer = make_trainer(best_model_metric=metric, num_epochs=1)
    sets = [scan(3, name="still"), scan(4, name="other")]
    with caplog.at_level(logging.WARNING, "mtt"):
        fit(trainer, make_model(), scan(8), sets, tmp_path)
    assert f"{metric} chooses by rounding noise" in caplog.text


def test_plateau_may_listen_to_a_product(make_model, make_trainer, tmp_path):
    plateau = {"name": "plateau", "metric": "mae_prod", "patience": 0, "threshold": 0.9}
    trainer = make_trainer(scheduler=plateau, **SETTINGS)
    state = fit(trainer, make_model(), scan(8), [scan(5)], tmp_path)
    assert trainer._fit.stage.schedule.state_dict()["falls"] > 0
    first = state.history[0]["validation energy MAE"] / 1e3
    assert trainer._fit.stage.schedule.state_dict()["best"] == pytest.approx(first, rel=1e-12)


@pytest.mark.parametrize("noise", [0.0, 1e-8])
def test_forces_of_noise_do_not_scale_the_network(make_model, noise):
    model = make_model()
    model.fit_baselines(scan(8, noise), {})
    energies = scan(8).target("energy").values[:, 0]
    assert model.scales["energy"] == pytest.approx(float(energies.std(correction=0)), rel=1e-9)
