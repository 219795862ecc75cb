"""The moving average against its recurrence, written out."""

import copy

import pytest
import torch

from mtt.errors import TrainingError
from mtt.training.averaging.named.ema import EMA


class Two(torch.nn.Module):
    """One weight that is trained, one that is frozen, a buffer, and dropout."""

    def __init__(self, size=3):
        super().__init__()
        self.free = torch.nn.Parameter(torch.arange(float(size), dtype=torch.float64))
        self.frozen = torch.nn.Parameter(torch.full((2,), 7.0), requires_grad=False)
        self.register_buffer("constant", torch.ones(4))
        self.register_buffer("absent", None)
        self.dropout = torch.nn.Dropout(0.5)


def set_to(model, value):
    with torch.no_grad():
        model.free.fill_(value)


def test_ema_follows_the_stated_recurrence_on_a_scripted_path():
    model = Two()
    ema = EMA(model, decay=0.4)
    expected, path = [0.0, 1.0, 2.0], [5.0, -1.0, 0.25, 3.0, 8.0, 2.0]
    for n, value in enumerate(path, start=1):
        set_to(model, value)
        ema.update()
        decay = min(0.4, (1 + n) / (10 + n))
        expected = [decay * one + (1 - decay) * value for one in expected]
        torch.testing.assert_close(ema.model.free.tolist(), expected, rtol=1e-14, atol=0)
    assert ema.n == len(path)


def test_the_first_decay_is_two_elevenths():
    model = Two()
    ema = EMA(model, decay=0.999)
    set_to(model, 11.0)
    ema.update()
    assert ema.model.free.tolist() == pytest.approx([9.0, 9 + 2 / 11, 9 + 4 / 11], abs=1e-14)


def test_a_decay_of_zero_is_the_latest_weights():
    model = Two()
    ema = EMA(model, decay=0.0)
    set_to(model, 0.1)
    ema.update()
    assert torch.equal(ema.model.free, model.free)


def test_frozen_parameters_stay_bit_for_bit():
    model = Two()
    ema = EMA(model, decay=0.9)
    for _ in range(20):
        ema.update()
    assert torch.equal(ema.model.frozen, model.frozen)
    assert torch.equal(ema.model.free, model.free)


def test_the_model_in_training_is_never_touched_and_shares_nothing():
    model = Two()
    ema = EMA(model, decay=0.9)
    set_to(model, 2.0)
    before = copy.deepcopy(model.state_dict())
    ema.update()
    with torch.no_grad():
        for value in [*ema.model.parameters(), *ema.model.buffers()]:
            value.fill_(-1.0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    own = {value.data_ptr() for value in model.state_dict().values()}
    assert own.isdisjoint(value.data_ptr() for value in ema.model.state_dict().values())


def test_the_copy_is_in_evaluation_mode_and_the_other_is_not():
    model = Two().train()
    ema = EMA(model, decay=0.9)
    ema.update()
    assert not any(module.training for module in ema.model.modules())
    assert all(module.training for module in model.modules())


def test_buffers_are_those_of_the_model_in_training():
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    ema = EMA(model, decay=0.9)
    first = ema.model
    model(torch.randn(5, 2))
    ema.update()
    assert ema.model is first
    assert torch.equal(ema.model[1].running_mean, model[1].running_mean)
    assert int(ema.model[1].num_batches_tracked) == 1
    model[1].running_var = torch.full((3,), 5.0, dtype=torch.float64)  # another tensor
    assert torch.equal(ema.model[1].running_var, model[1].running_var)
    assert ema.model[1].running_var is not model[1].running_var


def test_a_buffer_can_come_grow_and_go():
    model = Two()
    ema = EMA(model, decay=0.9)
    model.absent = torch.ones(2)
    assert torch.equal(ema.model.absent, torch.ones(2))
    model.absent = torch.zeros(3)
    assert torch.equal(ema.model.absent, torch.zeros(3))
    model.absent = None
    assert ema.model.absent is None


def test_weights_of_16_bits_are_averaged_in_float32():
    model = torch.nn.Linear(1, 1, bias=False).bfloat16()
    torch.nn.init.ones_(model.weight)
    ema = EMA(model, decay=0.999)
    ema.n = 10**6  # the warm-up is over
    torch.nn.init.constant_(model.weight, 2.0)
    for _ in range(700):
        ema.update()
    # each of the steps is far below the spacing of bfloat16 at 1
    assert ema.model.weight.item() == pytest.approx(2 - 0.999**700, rel=4e-3)
    assert ema.model.weight.dtype == torch.bfloat16
    assert ema.state_dict()["weights"]["weight"].dtype == torch.float32


def test_the_average_resumes_bit_for_bit():
    model = Two()
    ema = EMA(model, decay=0.9)
    for value in (3.0, 0.1):
        set_to(model, value)
        ema.update()
    state = ema.state_dict()
    resumed = EMA(model, decay=0.9)
    resumed.load_state_dict(state)
    for one in (ema, resumed):
        set_to(model, 0.7)
        one.update()
    assert resumed.n == ema.n == 3
    assert torch.equal(resumed.model.free, ema.model.free)
    assert list(state["weights"]) == ["free", "frozen"]


def test_the_state_is_a_snapshot():
    model = Two()
    ema = EMA(model, decay=0.9)
    state = ema.state_dict()
    set_to(model, 50.0)
    ema.update()
    assert state["weights"]["free"].tolist() == [0.0, 1.0, 2.0]
    assert not any(value.requires_grad for value in state["weights"].values())
    ema.load_state_dict(state)
    ema.update()
    assert state["weights"]["free"].tolist() == [0.0, 1.0, 2.0]


def test_averages_of_another_model_are_refused_with_every_difference():
    ema = EMA(Two(), decay=0.9)
    state = ema.state_dict()
    state["weights"]["fre"] = state["weights"].pop("free")
    state["weights"]["frozen"] = torch.ones(3)
    with pytest.raises(TrainingError) as caught:
        ema.load_state_dict(state)
    text = str(caught.value)
    assert "hold 'fre', which the model has not; did you mean 'free'?" in text
    assert "lack 'free'" in text
    assert "'frozen' has shape [3], the model's is [2]" in text
    assert ema.n == 0


def test_a_real_model_that_has_just_been_stepped_is_copied(make_model, make_batch, dataset):
    model = make_model()
    batch = make_batch(dataset, model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    target = model.predict_targets(batch.graph, create_graph=True)["energy"]
    (target.values.square().sum() + target.forces.square().sum()).backward()
    optimizer.step()
    ema = EMA(model, decay=0.5)
    for _ in range(200):
        ema.update()
    one = model.eval().predict_targets(batch.graph)["energy"]
    two = ema.model.predict_targets(batch.graph)["energy"]
    assert torch.equal(one.values, two.values)
    assert torch.equal(one.forces, two.forces)
    assert all(parameter.grad is None for parameter in ema.model.parameters())
