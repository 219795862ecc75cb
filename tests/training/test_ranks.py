"""Several ranks train as one does: what follows from all parts of a step is asked of all."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.utils import parameters_to_vector

from mtt.checkpoint import read
from mtt.data import Dataset
from mtt.ranks import SerialRanks, states_of_ranks, stored_by_rank
from mtt.training.numerics.random_state import restore_rng, rng_state


@pytest.fixture
def gappy(frames, make_model):
    """Energies are missing of some structures, forces of others, both of one."""
    changed = list(frames[:16])
    for name, structures in (("values", (1, 2, 3, 8)), ("forces", (3, 4, 11))):
        for i in structures:
            labels = changed[i].labels["energy"]
            labels = labels._replace(**{name: getattr(labels, name) * np.nan})
            changed[i] = changed[i]._replace(labels={"energy": labels})
    return Dataset.from_frames(changed, make_model().dataset_info)


@pytest.mark.parametrize("combination", ["sum", "config"])
@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("shares", [[[0, 8], [8, 16]], [[0, 5], [5, 6], [6, 16]], [[0, 16], []]])
def test_ranks_with_a_part_of_the_batch_each_learn_what_one_learns_from_all(
    make_step,
    make_batch,
    gappy,
    dataset,
    combination,
    complete,
    shares,
    together,
    assert_equal_weights,
):
    """Equal and unequal parts, labels missing in each, and a rank without any batch."""
    data = dataset if complete else gappy
    options = {"complete": complete, "combination": combination, "max_norm": 0.5}
    one, loss = make_step(**options)
    whole = one(loss, [make_batch(data, one.model)], 0.1)
    steps = [make_step(**options)[0] for _ in shares]
    batches = [
        [make_batch(data.select(np.arange(*share)), step.model)] if share else []
        for share, step in zip(shares, steps, strict=True)
    ]

    def work(ranks):
        step = steps[ranks.rank]
        step.ranks = ranks
        return step(loss, batches[ranks.rank], 0.1)

    for step, result in zip(steps, together(len(shares), work), strict=True):
        assert result.fault == ""
        assert result.norm.item() == pytest.approx(whole.norm.item(), rel=1e-12)
        gradients = [[p.grad for p in each.model.parameters()] for each in (step, one)]
        assert_equal_weights(*gradients)
        assert_equal_weights(step.model.parameters(), one.model.parameters())


def test_a_loss_that_is_not_finite_on_one_rank_stops_the_step_of_all(
    make_step, make_batch, dataset, together
):
    steps = [make_step(complete=False) for _ in range(2)]
    before = parameters_to_vector(steps[0][0].model.parameters()).clone()

    def work(ranks):
        step, loss = steps[ranks.rank]
        step.ranks = ranks
        batch = make_batch(dataset.select([ranks.rank]), step.model)
        if ranks.rank:
            batch.graph.vectors.fill_(torch.nan)
        result = step(loss, [batch], 0.1)
        return result.fault, step.explain(loss, result)

    found = together(2, work)
    assert found[0] == found[1]
    assert found[0][0] == "not finite"
    assert found[0][1].startswith("the loss of energy")
    for step, _ in steps:
        assert torch.equal(parameters_to_vector(step.model.parameters()), before)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, forked):
    """What the trainings of ``two_ranks.py`` end with: ``trained(training, run, rank)``."""
    folder = tmp_path_factory.mktemp("ranks")
    script = Path(__file__).with_name("two_ranks.py")
    done = forked(script, folder)
    assert done.returncode == 0, done.stderr

    def load(training, run, rank):
        return torch.load(folder / training / f"{run}-{rank}.pt", weights_only=True)

    return folder, load


@pytest.mark.parametrize(
    ("training", "tolerance"),
    [
        ("averaged", 1e-12),
        ("conflict-free", 1e-12),
        ("line search", 1e-6),  # which makes 1e-16 many times larger
        ("one by one", 1e-12),
        ("by atoms", 1e-12),
        ("measured", 1e-12),
        ("default options", 1e-9),  # soap makes roundings larger, and keeps them there
    ],
)
def test_two_ranks_train_to_what_one_trains_to(trained, training, tolerance):
    """Weights, metrics, best epoch and files, with labels missing here and there."""
    folder, load = trained
    one, *two = load(training, "one", 0), *(load(training, "two", rank) for rank in (0, 1))
    for name, weights in two[0]["weights"].items():
        assert torch.equal(weights, two[1]["weights"][name])
    for rank in two:
        assert_same(rank, one, tolerance)
    written = [{p.name for p in (folder / training / run).iterdir()} for run in ("one", "two")]
    assert written[0] == written[1]
    first, second = (read(folder / training / f"{run}.ckpt") for run in ("one", "two"))
    assert first["best_epoch"] == second["best_epoch"]
    assert second["best_metric"] == pytest.approx(first["best_metric"], rel=tolerance)


def assert_same(ours, theirs, tolerance):
    """Weights and history, but for the seconds."""
    torch.testing.assert_close(ours["weights"], theirs["weights"], rtol=tolerance, atol=tolerance)
    assert len(ours["history"]) == len(theirs["history"])
    for own, other in zip(ours["history"], theirs["history"], strict=True):
        without = {key: value for key, value in other.items() if key != "seconds"}
        found = {key: own[key] for key in without}
        assert found == pytest.approx(without, rel=tolerance, nan_ok=True)


def test_what_two_ranks_began_one_rank_ends_as_if_it_had_trained_alone(trained):
    """A batch is the same whoever shares it: the epoch is resumed where it was stopped."""
    _, load = trained
    assert "in epoch 2" in load("fewer", "part", 0)["reason"]
    assert_same(load("fewer", "two", 0), load("fewer", "one", 0), 1e-12)


def test_processes_exchange_what_they_have(trained):
    folder, _ = trained
    first, second = (torch.load(folder / f"methods-{i}.pt", weights_only=True) for i in (0, 1))
    for found in (first, second):
        assert [one["rank"] for one in found["gather"]] == [0, 1]
        assert found["gather"][1]["text"] == "x" * 900
        assert found["broadcast"] == [0, "y" * 5000]
        assert [one.tolist() for one in found["sum"]] == [[3.0, 4.0], 6]
        assert found["none"] == [[], []]
        whole, absent, of_one = found["sum_known"]
        assert (whole.tolist(), absent, of_one.tolist()) == ([[1.0, 1.0], [1.0, 1.0]], None, [1.0])
        assert found["numbers"] == [0.2, 1.0]
        assert found["largest"][:2].tolist() == [1.0, 0.0]
        assert found["largest"][2].isnan()
        assert found["extremes"] == [-4, -5, True]
        assert found["differing"] == [[1], []]
        assert found["first"] == "written"
        assert found["raised"] == ("stopped; resume", 143, "resume")
        assert found["shared"].tolist() == [[0.0] * 3] * 2
        assert [one.tolist() for one in found["owned"]] == [
            [[1.0] * 3] * 2,
            [1.0] * 2,
            [[0.0]] * 2,
            6,
        ]
    assert second["given"][0].tolist() == [2.0, 2.0]  # nothing is summed in place


def test_a_stop_that_one_rank_is_asked_for_stops_all_and_they_resume_bit_for_bit(trained):
    """Within an epoch: what each rank has counted, and would draw, comes back to it."""
    folder, load = trained
    reasons = [load("stopped", "part", rank)["reason"] for rank in (0, 1)]
    assert reasons[0] == reasons[1]
    assert "SIGUSR1 in epoch 2" in reasons[0]
    stored = read(folder / "stopped" / "part.ckpt")["trainer_state"]
    assert (stored["epoch"], stored["batch"]) == (1, 2)
    for state in (stored["meter"], stored["parts"]["rng"]):
        assert len(states_of_ranks(state)) == 2
    for rank in (0, 1):
        whole, resumed = (load("stopped", run, rank) for run in ("whole", "resumed"))
        for name, weights in whole["weights"].items():
            assert torch.equal(weights, resumed["weights"][name])
        for result in (whole, resumed):
            for row in result["history"]:
                del row["seconds"]
        assert whole["history"] == resumed["history"]


def test_an_error_of_the_first_rank_is_raised_on_all(together):
    def fail():
        raise OSError("the disk is full")

    def work(ranks):
        with pytest.raises(OSError, match="disk is full"):
            ranks.on_first(fail)
        return ranks.on_first(lambda: "written"), ranks.broadcast(ranks.rank), ranks.max(ranks.rank)

    assert together(3, work) == [("written", 0, 2)] * 3


def test_one_process_stores_its_state_as_it_is_and_several_get_their_own_back():
    assert stored_by_rank([{"loss": 1}]) == {"loss": 1}
    states = [{"loss": i} for i in range(11)]
    assert states_of_ranks(stored_by_rank(states)) == states
    ranks = SerialRanks()
    before = rng_state(torch.device("cpu"), ranks)
    drawn = torch.rand(3)
    restore_rng(stored_by_rank([before, {}]), torch.device("cpu"), ranks)
    assert torch.equal(torch.rand(3), drawn)
