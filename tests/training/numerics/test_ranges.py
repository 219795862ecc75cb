"""Labels and scales beyond what can be squared are refused, with whose they are."""

import numpy as np
import pytest
import torch

from mtt.data import Dataset
from mtt.errors import MttError
from mtt.options.training import BaselineOptions
from mtt.training.numerics.ranges import check_ranges


def data(frames, info, energy=1.0, force=1.0, at=2):
    """The energies times ``energy``, and one force component of frame ``at`` times ``force``."""
    changed = []
    for i, frame in enumerate(frames[:5]):
        label = frame.labels["energy"]
        forces = label.forces * (energy if energy < 1 else 1.0)
        forces[1, 2] *= force if i == at else 1.0
        labels = {"energy": label._replace(values=label.values * energy, forces=forces)}
        changed.append(frame._replace(labels=labels))
    return Dataset.from_frames(changed, info)


@pytest.mark.parametrize(
    ("change", "hypers", "message"),
    [
        ({"force": 1e300}, {}, r"xyz, frame 2: energy forces of [\d.]+e\+\d+ overflow: .* unit"),
        ({"energy": 1e200}, {}, r"xyz, frame \d: energy of [\d.]+e\+202 overflow"),
        ({"energy": 1e-300}, {}, r"xyz, frame \d: all labels of energy underflow: none is larger"),
        ({}, 1e-300, r"training.fixed_scaling_weights.energy: labels of up to .* overflow in flo"),
        ({}, 1e300, r"divided by the scale 1e\+300, underflow in float32; leave it out"),
    ],
)
def test_numbers_that_over_or_underflow_are_refused_with_whose_they_are(
    frames, dataset, change, hypers, message
):
    options = BaselineOptions(fixed_scaling_weights={"energy": hypers} if hypers else {})
    sets = [data(frames, dataset.info, **change)]
    with pytest.raises(MttError, match=message):
        check_ranges(sets, options, torch.float32)


@pytest.mark.parametrize("change", [{}, {"energy": 1e30}, {"energy": 0.0}, {"force": 1e-300}])
@pytest.mark.parametrize("scale", [1e-6, 1.0])
def test_numbers_of_any_other_size_pass(frames, dataset, change, scale):
    given = {} if "energy" in change else {"energy": scale}
    options = BaselineOptions(fixed_scaling_weights=given)
    check_ranges([data(frames, dataset.info, **change)], options, torch.float32)


def test_missing_labels_are_not_looked_at(frames, dataset):
    check_ranges([data(frames, dataset.info, force=np.nan)], BaselineOptions(), torch.float64)


def test_the_trainer_refuses_them_before_it_trains(
    frames, dataset, make_model, make_trainer, validation
):
    huge = data(frames, dataset.info, force=1e300)
    with pytest.raises(MttError, match=r"energy forces of .* overflow"):
        make_trainer().check(
            make_model(), torch.float64, [torch.device("cpu")], [huge], [validation]
        )
