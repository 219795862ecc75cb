"""What the stages of a training share is made once."""

import pytest
import torch

from mtt.errors import TrainingError
from mtt.interface import Run
from mtt.options.training import parse
from mtt.training.datasets import TrainingData
from mtt.training.setup import TrainingSetup


def test_losses_are_made_once_in_units_of_the_scales_that_the_model_has_then(
    make_model, dataset, validation
):
    model = make_model().to(torch.float64)
    data = TrainingData(model, [dataset], [validation])
    options = parse({"fixed_scaling_weights": {"energy": 3.0}, "stages": [{"num_epochs": 1}] * 2})
    before = TrainingSetup(options, Run(), model, data)
    model.fit_baselines(data.training, options)
    after = TrainingSetup(options, Run(), model, data)
    for setup, scale in ((before, 1.0), (after, 3.0)):
        assert [loss.terms[0].scale for loss in setup.losses] == [scale, scale]
        assert setup.losses is setup.losses
        assert setup.best_rule is setup.best_rule


def test_fewer_atoms_in_a_batch_reach_all_stages_and_the_validation(
    make_model, dataset, validation
):
    model = make_model().to(torch.float64)
    options = parse({"stages": [{"num_epochs": 1}, {"num_epochs": 1, "batch_size": 2}]})
    setup = TrainingSetup(options, Run(), model, TrainingData(model, [dataset], [validation]))
    setup.limit_atoms(9)
    loaders = [setup.make_stage(plan).training for plan in setup.plans]
    loaders += [loader for _, loader in setup.make_validation().sets]
    assert {loader.batching.atoms for loader in loaders} == {9}


def test_sets_without_structures_do_not_count(make_model, dataset, validation):
    model, none = make_model(), dataset.select([])
    data = TrainingData(model, [none, dataset], [none, validation])
    assert len(data.training) == len(dataset)
    assert [len(one) for one in data.validation_sets] == [len(validation)]
    for sets in (([none], [validation]), ([dataset], [none])):
        with pytest.raises(TrainingError, match="there are no structures in the"):
            TrainingData(model, *sets)
