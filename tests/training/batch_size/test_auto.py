"""batch_atoms: auto: what is measured, what is planned, and what it leaves alone."""

import copy
import logging

import numpy as np
import pytest
import torch

from mtt.checkpoint import read
from mtt.data import Dataset
from mtt.data.frames import Frame, FrameLabels
from mtt.data.memory import OutOfMemory
from mtt.errors import ConfigError
from mtt.interface import Run
from mtt.training import TrainingInterrupted
from mtt.training.batch_size import auto as batch_atoms
from mtt.training.batch_size.auto import Measured, Sizes, fit, plan_batch_atoms
from mtt.training.batch_size.peak_memory import peak_of
from mtt.training.datasets import TrainingData
from mtt.training.setup import TrainingSetup

CPU = torch.device("cpu")
FREE = 3_000_000
AUTO = {"batch_atoms": "auto", "num_epochs": 2}


@pytest.fixture(scope="session")
def crowd():
    """Sixty clusters of 2 to 31 atoms, packed more or less densely."""
    random = np.random.default_rng(3)
    frames = []
    for i in range(60):
        n = 2 + i // 2
        positions = random.uniform(0, (1.2 + 0.4 * (i % 3)) * n ** (1 / 3), (n, 3))
        frames.append(
            Frame(
                numbers=random.choice([1, 6], n).astype(np.int64),
                positions=positions,
                cell=np.zeros((3, 3)),
                pbc=np.zeros(3, bool),
                labels={"energy": FrameLabels(np.array([[-1.0 * n]]), 0.1 * positions)},
                extra={},
                source=f"crowd.xyz, frame {i}",
            )
        )
    return frames


@pytest.fixture
def parts(crowd, dataset, validation, make_trainer, make_model):
    """``parts(model, **hypers)``: of a training on the crowd."""

    def make(model, **hypers):
        data = Dataset.from_frames(crowd, dataset.info)
        options = make_trainer(**hypers).options
        model.fit_baselines(data, options)
        return TrainingSetup(options, Run(), model, TrainingData(model, [data], [validation]))

    return make


@pytest.fixture
def free(monkeypatch):
    """``free(n)``: the machine says that it has ``n`` free bytes; little else is a limit."""

    def make(n):
        monkeypatch.setattr(batch_atoms, "free_memory", lambda device: n)
        monkeypatch.setattr(batch_atoms, "STEPS", 3)

    return make


def test_the_peak_counts_what_lives_at_the_same_time_the_backward_pass_included():
    weight = torch.ones(1000, dtype=torch.float64, requires_grad=True)

    def freed():
        for _ in range(5):
            torch.zeros(1000, dtype=torch.float64)

    def saved():
        (weight * weight).exp().sum().backward()  # the exponential is kept for its derivative

    assert peak_of(freed, CPU) == 8000
    found = peak_of(saved, CPU)
    assert 3 * 8000 <= found <= 4 * 8000 + 64
    weight.grad = None


def test_the_peak_on_the_cpu_is_that_of_the_allocator(make_model, make_batch, dataset, make_step):
    """Against what torch's profiler sees of the allocator in a real training step."""
    step, loss = make_step()
    batch = make_batch(dataset, step.model)
    step(loss, [batch], 0.0)

    def work():
        step(loss, [batch], 0.0)
        step.optimizer.zero_grad(set_to_none=True)

    found = peak_of(work, CPU)
    with torch.autograd.profiler.profile(profile_memory=True) as profile:
        work()
    events = profile.kineto_results.events()
    memory = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    allocated = np.cumsum([n_bytes for _, n_bytes in memory])
    assert found == pytest.approx(allocated.max(), rel=0.05)


def test_the_cost_is_fitted_without_negative_numbers_and_never_below_a_measurement():
    exact = [Measured(a, p, 1000 + 50 * a + 7 * p) for a, p in [(10, 90), (20, 150), (30, 400)]]
    assert np.allclose(fit(exact), (1000, 50, 7))
    # equal structures say nothing of pairs and atoms apart; concave ones would give a gain
    for peaks in ([100, 200, 400], [100, 190, 300]):
        measured = [Measured(n, 3 * n, peak) for n, peak in zip([1, 2, 4], peaks, strict=True)]
        cost = fit(measured)
        assert min(cost) >= 0
        assert all(cost(one.atoms, one.pairs) >= one.peak * (1 - 1e-9) for one in measured)


def test_no_batch_of_any_order_has_more_pairs_than_planned_for():
    random = np.random.default_rng(0)
    atoms = random.integers(1, 30, 200)
    sizes = Sizes(atoms, atoms * random.integers(0, 60, 200))
    for limit in (30, 100, 700):
        bound = sizes.most_pairs(np.array([float(limit)]))[0]
        for _ in range(50):
            batch = sizes.first(random.permutation(200), limit)
            assert sizes.pairs[batch].sum() <= bound


def test_batches_fit_into_the_part_of_the_memory_that_is_stated(
    parts, make_model, free, caplog, record_property
):
    """The densest batch of the planned size, in a real step; and half as much would be too shy."""
    made = parts(make_model().double(), batch_atoms="auto", ema=True, optimizer="adam")
    free(FREE)
    with caplog.at_level(logging.INFO, "mtt"):
        number = plan_batch_atoms(made)
    assert "more would not fit" in caplog.text
    largest = int(made.data.training.n_atoms.max())
    upper = float(made.data.training.n_atoms.sum()) / batch_atoms.STEPS
    assert largest < number < upper
    probe = batch_atoms._Probe(made, made.plans[0])
    densest = probe._sizes.first(probe._sizes.densest(), number)
    probe._take(densest)
    part = probe._measure(densest).peak / FREE
    assert 0.5 * batch_atoms.SHARE < part <= batch_atoms.SHARE
    record_property("part of the free memory that the largest step takes", round(part, 2))


def test_with_much_memory_steps_and_structures_limit_the_batch(parts, make_model, caplog):
    with caplog.at_level(logging.INFO, "mtt"):
        made = parts(make_model().double(), batch_atoms="auto")
        total = int(made.data.training.n_atoms.sum())
        assert plan_batch_atoms(made) == total // batch_atoms.STEPS
        half = parts(make_model().double(), batch_atoms="auto", gradient_accumulation=2)
        # of which two make a step, but no less than the largest structure
        assert plan_batch_atoms(half) == max(total // batch_atoms.STEPS // 2, 31)
    assert f"({batch_atoms.STEPS} steps an epoch)" in caplog.text


def test_the_largest_structure_of_the_validation_fits_too(crowd, dataset, make_trainer, make_model):
    data, others = (Dataset.from_frames(part, dataset.info) for part in (crowd[:50], crowd[50:]))
    model = make_model()
    options = make_trainer(batch_atoms="auto").options
    made = TrainingSetup(options, Run(), model, TrainingData(model, [data], [others]))
    assert plan_batch_atoms(made) >= 31


def test_a_stage_that_needs_more_decides(parts, make_model, free):
    free(FREE)
    model = make_model().double()
    small = plan_batch_atoms(parts(model, batch_atoms="auto"))
    stages = [{"num_epochs": 1}, {"num_epochs": 1, "gradient_combination": "config"}]
    assert plan_batch_atoms(parts(model, batch_atoms="auto", stages=stages)) < small


def test_the_memory_of_a_line_search_is_measured_while_it_searches(parts, make_model, free):
    free(FREE)
    model = make_model().double()
    searching = {"optimizer": "lbfgs", "grad_clip_norm": None, "ema": False}
    made = parts(model, batch_atoms="auto", **searching)
    probe = batch_atoms._Probe(made, made.plans[0])
    structures = probe._sizes.densest()[:3]
    probe._take(structures)
    assert probe._stage.step.optimizer.state_dict()["state"][0]["func_evals"] > 1
    assert plan_batch_atoms(made) > 0


def test_probing_leaves_no_trace(parts, make_model):
    """Weights, modes, gradients and all generators are what they were."""
    model = make_model(dropout=0.3).double().eval()
    made = parts(model, batch_atoms="auto", ema=True)
    weights = copy.deepcopy(model.state_dict())
    torch.manual_seed(7)
    np.random.seed(7)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(7)
    np.random.seed(7)
    plan_batch_atoms(made)
    assert torch.equal(torch.rand(3), expected[0]) and (np.random.rand(3) == expected[1]).all()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module.training for module in model.modules())
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name]), name


def test_a_run_with_auto_is_one_with_the_number_it_found(
    make_model, make_trainer, train, last, tmp_path
):
    """Bit for bit, with dropout; the checkpoint says which number that is."""
    auto = train(make_trainer(**AUTO), make_model(dropout=0.2))
    number = last()["trainer_state"]["batch_atoms"]
    assert number == 5  # the largest molecule: twenty steps an epoch are more than there are
    explicit = train(
        make_trainer(num_epochs=2, max_atoms_per_batch=number),
        make_model(dropout=0.2),
        checkpoints=tmp_path / "explicit",
    )
    for (name, one), other in zip(auto.named_parameters(), explicit.parameters(), strict=True):
        assert torch.equal(one, other), name


def test_a_restart_keeps_the_number_whatever_is_free_by_then(
    make_model, make_trainer, train, restart, terminate, assert_equal, monkeypatch, tmp_path
):
    monkeypatch.setattr(batch_atoms, "STEPS", 5)
    train(make_trainer(**AUTO), make_model(), checkpoints=tmp_path / "straight")
    with pytest.raises(TrainingInterrupted):
        train(make_trainer(listeners=[terminate(1, 3)], **AUTO), make_model())
    monkeypatch.setattr(batch_atoms, "STEPS", 3)
    path = tmp_path / "checkpoints" / "last.ckpt"
    model, trainer = restart(path, make_trainer(**AUTO))
    train(trainer, model)
    one, other = read(tmp_path / "straight" / "last.ckpt"), read(path)
    assert one["trainer_state"]["batch_atoms"] == 14
    assert_equal(one, other)


def test_a_structure_that_does_not_fit_is_an_error_before_the_first_step(
    make_model, make_trainer, train
):
    """The largest structures come first."""
    model = make_model()
    kept = model.atomic_energies

    def greedy(self, graph):
        if len(graph.types) >= 5:
            torch.empty(2**60)
        return kept(graph)

    type(model).atomic_energies, before = greedy, type(model).atomic_energies
    try:
        match = (
            r"training.batch_atoms: no memory is left for a trial step on a batch of 1 structure "
            r"with 5 atoms and 20 pairs; the largest has 5 atoms and 20 pairs \(molecules.xyz, "
        )
        with pytest.raises(OutOfMemory, match=match):
            train(make_trainer(**AUTO), model)
    finally:
        type(model).atomic_energies = before


def test_two_limits_are_refused(make_trainer):
    with pytest.raises(ConfigError, match="batch_atoms finds what max_atoms_per_batch says"):
        make_trainer(batch_atoms="auto", max_atoms_per_batch=20)
