"""Speed and memory of an epoch."""

import time

import pytest
import torch

from mtt.ranks import SerialRanks
from mtt.training.reporting.speed import SystemMeter


def test_rates_count_what_was_trained_on_in_the_time_that_took(make_batch, make_model, dataset):
    batch = make_batch(dataset, make_model())
    started = time.perf_counter()
    meter = SystemMeter(torch.device("cpu"), SerialRanks())
    meter.add(batch)
    meter.add(batch)
    time.sleep(0.05)
    meter.trained()
    training = time.perf_counter() - started
    time.sleep(0.05)  # a validation
    metrics = meter.metrics()
    assert list(metrics) == list(SystemMeter.UNITS)
    assert metrics["seconds"] >= 0.1
    n_atoms = int(batch.n_atoms.sum())
    assert metrics["structures per second"] == pytest.approx(2 * 16 / training, rel=0.2)
    ratio = metrics["atoms per second"] / metrics["structures per second"]
    assert ratio == pytest.approx(n_atoms / 16)
    assert 10 < metrics["memory"] < 1e6  # MiB: torch alone takes more than ten
