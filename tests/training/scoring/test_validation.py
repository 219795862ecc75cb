"""Several validation sets: each by its name, and all as one."""

import math

import numpy as np
import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.data import Batching, Dataset, Loader, merge
from mtt.data.frames import Frame, FrameLabels
from mtt.errors import ConfigError
from mtt.options.training import parse
from mtt.ranks import SerialRanks
from mtt.training.losses.from_options import make_loss
from mtt.training.scoring.validation import Validation, metric_names, named

STRESSED = DatasetInfo("angstrom", (1, 6), {"energy": TargetInfo.energy(forces=True, stress=True)})


def go_on():
    """Nobody interrupts."""


@pytest.fixture
def score(make_model):
    """Metrics of a model on data sets, as the trainer finds them."""

    def run(datasets, batch_size=2, extended=True, interrupted=go_on, model=None, **hypers):
        model = model or make_model(dropout=0.5).to(torch.float64)
        labels = [dataset for _, dataset in named(datasets, model.dataset_info)]
        loss = make_loss(parse(hypers), model.dataset_info, model.scales, *labels)
        sets = [
            (name, Loader(dataset, model.dataset_info.atomic_types, cutoff=model.list_cutoff(),
                          dtype=model.dtype, batching=Batching(structures=batch_size),
                          shuffle=False))
            for name, dataset in named(datasets, model.dataset_info)
        ]  # fmt: skip
        return Validation(sets, loss, model.dataset_info, extended, ranks=SerialRanks()).run(
            model, interrupted
        )

    return run


@pytest.fixture
def bulk(frames):
    """Seven structures, with a name."""
    return Dataset.from_frames(frames[:7], INFO, name="bulk")


@pytest.fixture
def surface(frames):
    """Three structures, with a name; one lacks its energy, another some forces."""
    chosen = [unlabelled(frames[7]), unlabelled(frames[8], forces=slice(0, 2)), frames[9]]
    return Dataset.from_frames(chosen, INFO, name="surface")


INFO = DatasetInfo("angstrom", (1, 6), {"energy": TargetInfo.energy(forces=True)})


def unlabelled(frame, forces=None):
    """``frame`` without its energy, or without the forces of some atoms."""
    labels = frame.labels["energy"]
    if forces is None:
        return frame._replace(labels={"energy": labels._replace(values=np.full((1, 1), np.nan))})
    values = labels.forces.copy()
    values[forces] = np.nan
    return frame._replace(labels={"energy": labels._replace(forces=values)})


@pytest.mark.parametrize("batch_size", [1, 2, 10])
def test_two_unequal_sets_together_are_the_concatenated_set(score, bulk, surface, batch_size):
    several = score([bulk, surface], batch_size)
    one = score([merge([bulk, surface])], batch_size=10)
    assert {name: several[name] for name in one} == pytest.approx(one, rel=1e-12, nan_ok=True)


def test_each_set_has_its_own_metrics_under_its_name(score, bulk, surface):
    several = score([bulk, surface])
    for dataset in (bulk, surface):
        alone = score([dataset])
        own = {name: several[f"{dataset.name} {name}"] for name in alone}
        assert own == pytest.approx(alone, rel=1e-12, nan_ok=True)
    assert list(several) == metric_names(INFO, True, ("bulk", "surface"))


def test_a_set_alone_is_reported_as_without_a_name(score, bulk, frames):
    nameless = Dataset.from_frames(frames[:7], INFO)
    assert score([bulk]) == score([nameless])
    assert list(score([bulk])) == metric_names(INFO, True)


def test_a_set_without_a_name_counts_in_the_whole_alone(score, bulk, surface):
    surface.name = ""
    found = score([bulk, surface], extended=False)
    assert list(found) == metric_names(INFO, False, ("bulk",))
    whole = score([merge([bulk, surface])], extended=False)
    assert {name: found[name] for name in whole} == pytest.approx(whole, rel=1e-12, nan_ok=True)


def test_an_empty_set_is_left_out(bulk, surface):
    sets = named([bulk.select([]), bulk, surface], INFO)
    assert [(name, len(one)) for name, one in sets] == [("bulk", 7), ("surface", 3)]
    assert named([bulk, surface.select([])], INFO) == [("", bulk)]


def test_sets_with_different_labels_have_errors_where_they_have_labels(make_model, score, frames):
    molecules = Dataset.from_frames(frames[:4], INFO, name="molecules")
    crystals = Dataset.from_frames([crystal(frame) for frame in frames[4:6]], STRESSED, name="bulk")
    model = make_model(info=STRESSED).to(torch.float64)
    found = score([molecules, crystals], model=model, extended=False)
    assert math.isnan(found["molecules stress RMSE"])
    assert found["stress RMSE"] == pytest.approx(found["bulk stress RMSE"], rel=1e-14)
    assert math.isfinite(found["molecules loss"])


def test_a_set_without_labels_of_a_trained_target_is_scored_by_what_it_has(make_model, score, bulk):
    model = make_model(info=STRESSED).to(torch.float64)
    found = score([bulk], model=model)
    assert math.isnan(found["stress RMSE"])
    plain = make_model().to(torch.float64)
    plain.load_state_dict(model.state_dict())
    expected = score([bulk], model=plain)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)


def crystal(frame):
    """``frame`` in a cell, with a label of the strain derivative."""
    labels = FrameLabels(*frame.labels["energy"][:2], np.diag([1.0, 2.0, 3.0]))
    return Frame(frame.numbers, frame.positions, 9.0 * np.eye(3), np.ones(3, bool),
                 {"energy": labels}, {}, frame.source)  # fmt: skip


def test_the_model_is_evaluated_and_not_changed(make_model, score, bulk, surface):
    model = make_model(dropout=0.5).to(torch.float64).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    assert score([bulk, surface], model=model) == pytest.approx(
        score([bulk, surface], model=model), abs=0, nan_ok=True
    )
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
    assert torch.equal(random, torch.get_rng_state())
    assert not model.training


def test_it_can_be_left_after_every_batch(score, bulk, surface):
    calls = []

    def stop():
        calls.append(len(calls))
        if len(calls) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score([bulk, surface], interrupted=stop)  # 4 batches of the first set, 2 of the second
    assert calls == [0, 1, 2, 3, 4]


def test_metrics_that_would_share_a_name_are_refused():
    with pytest.raises(ConfigError, match=r"'bulk loss' would be the name of two metrics"):
        metric_names(INFO, False, ("bulk", "bulk"))
    info = INFO.with_targets(dict.fromkeys(("energy", "x energy"), TargetInfo.energy()))
    with pytest.raises(ConfigError, match=r"validation_set: 'x energy RMSE' would be"):
        metric_names(info, False, ("x",))
