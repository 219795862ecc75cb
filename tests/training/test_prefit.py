"""The pre-fit: L-BFGS on named parameters, on the whole training set, and on nothing else."""

import hashlib
import logging

import ase
import numpy as np
import pytest
import torch
from ase.calculators.singlepoint import SinglePointCalculator

from mtt.data import Batching, Dataset, Loader
from mtt.errors import ConfigError, TrainingError
from mtt.mlip.trainable.parameter_names import check_patterns
from mtt.options.training import PrefitOptions, parse
from mtt.ranks import SerialRanks
from mtt.training.losses.from_options import make_loss
from mtt.training.optimizers import make_optimizer
from mtt.training.prefit import WHERE, PrefitReport, prefit

BEADS, CHAINS = 12, 32
TRUTH = {"k": 150.0, "r0": 3.8, "epsilon": 1.0}
START = {"k": 50.0, "r0": 3.5, "epsilon": float(np.exp(-1))}


def prior_hypers(k, r0, epsilon, **more):
    bonds = " ".join(f"{i}-{i + 1}" for i in range(BEADS - 1))
    elements = " ".join(["C"] * BEADS)
    return {
        "topology": {
            "from": "molecules",
            "molecules": [{"elements": elements, "bonds": bonds}],
            "longest_bond": 6.0,
        },
        "bonds": {"C-C": {"k": k, "r0": r0}},
        "repulsion": {"sigma": 4.0, "epsilon": epsilon, "cutoff": 12.0, "power": 4},
        **more,
    }


@pytest.fixture
def make_chain_model(make_model):
    """A silent network on a prior of chains; a change of its weights would be heard."""

    def make(values=START, dropout=0.0, **more):
        model = make_model(prior=prior_hypers(**values, **more), dropout=dropout)
        last = model.network[-1]
        with torch.no_grad():
            last.weight.zero_()
            last.bias.zero_()
        return model.to(torch.float64)

    return make


@pytest.fixture(scope="session")
def chains():
    """Positions of 32 chains of 12 beads, bonds of about 3.8."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(CHAINS):
        direction = np.array([1.0, 0.0, 0.0])
        at = [np.zeros(3)]
        for _ in range(BEADS - 1):
            direction = direction + rng.normal(scale=0.5, size=3)
            direction /= np.linalg.norm(direction)
            at.append(at[-1] + rng.normal(3.8, 0.08) * direction)
        found.append(np.array(at))
    return found


@pytest.fixture
def chain_data(chains, make_chain_model):
    """The chains, with energies and forces of the known prior."""
    truth = make_chain_model(TRUTH)
    bare = [ase.Atoms(["C"] * BEADS, at) for at in chains]
    for atoms in bare:
        atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((BEADS, 3)))
    dataset = Dataset.from_atoms(bare, {"energy": {"unit": "eV", "forces": True}})
    (batch,) = loader_of(dataset, truth, CHAINS).epoch()
    found = truth.predict_targets(batch.graph)["energy"]
    forces = found.forces.reshape(CHAINS, BEADS, 3).numpy()
    for atoms, energy, force in zip(bare, found.values[:, 0].tolist(), forces, strict=True):
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=force)
    return Dataset.from_atoms(bare, {"energy": {"unit": "eV", "forces": True}})


def loader_of(dataset, model, size):
    return Loader(
        dataset,
        model.dataset_info.atomic_types,
        cutoff=model.list_cutoff(),
        dtype=model.dtype,
        batching=Batching(structures=size),
        shuffle=False,
    )


def loss_of(model, dataset, **hypers):
    return make_loss(parse(hypers), model.dataset_info, model.scales, dataset)


def fit(model, dataset, size=CHAINS, patterns=("prior.*",), **options):
    loader = loader_of(dataset, model, size)
    asked = PrefitOptions(tuple(patterns), **options)
    return prefit(model, loader, loss_of(model, dataset), asked, ranks=SerialRanks())


def values_of(model):
    values = model.prior.values()
    return {**values["bonds"]["C-C"], "epsilon": values["repulsion"]["epsilon"]["C"]}


def digest(tensors):
    return hashlib.sha256(b"".join(t.detach().numpy().tobytes() for t in tensors)).hexdigest()


def test_prefit_recovers_known_values_on_32_chains_of_12_beads(make_chain_model, chain_data):
    model = make_chain_model()
    report = fit(model, chain_data, tolerance=1e-9)
    assert values_of(model) == pytest.approx(TRUTH, rel=1e-6)
    assert report.converged
    assert report.gradient_norm <= 1e-9
    assert report.steps == len(report.losses) - 1
    assert report.losses[0] > 1.0 > 1e-12 > report.losses[-1]
    assert all(b <= a for a, b in zip(report.losses, report.losses[1:], strict=False))
    assert report.evaluations < 60


@pytest.mark.parametrize("size", [8, 7, 13])
def test_prefit_by_batches_is_that_of_the_whole_set(size, make_chain_model, chain_data):
    """Four equal batches, and unequal ones."""
    whole, parts = make_chain_model(), make_chain_model()
    first = fit(whole, chain_data, tolerance=1e-10)
    second = fit(parts, chain_data, size, tolerance=1e-10)
    assert values_of(parts) == pytest.approx(values_of(whole), rel=1e-10)
    assert second.losses[0] == pytest.approx(first.losses[0], rel=1e-12)


def test_prefit_pools_terms_whose_labels_are_partly_missing(make_chain_model, chain_data):
    """The mean over all labels, not the mean of the batches' means."""
    some = [chain_data.atoms(i) for i in range(9)]
    labels = chain_data.select(range(9)).target("energy")
    for i, atoms in enumerate(some):
        energy = float(labels.values[i]) + 0.3 * i if i % 3 else np.nan
        atoms.calc = SinglePointCalculator(atoms, energy=energy)
        atoms.arrays["forces"] = labels.forces[i * BEADS : (i + 1) * BEADS].numpy().copy()
        if i > 4:
            atoms.arrays["forces"][:] = np.nan
    targets = {"energy": {"unit": "eV", "forces": {"key": "forces"}}}
    dataset = Dataset.from_atoms(some, targets)
    whole, parts = make_chain_model(), make_chain_model()
    first, second = fit(whole, dataset), fit(parts, dataset, 4)
    assert second.losses[0] == pytest.approx(first.losses[0], rel=1e-12)
    assert values_of(parts) == pytest.approx(values_of(whole), rel=1e-5)


def test_prefit_touches_only_the_prior(make_chain_model, chain_data):
    model = make_chain_model(dropout=0.3).train()
    network = list(model.network.parameters())
    before = digest(network), digest([b for b in model.buffers() if b.is_floating_point()])
    prior = digest(model.prior.parameters())
    owners = [id(p) for p in model.parameters()]
    rng = torch.get_rng_state(), np.random.get_state()[1].copy()
    fit(model, chain_data, 8)
    assert before == (
        digest(network),
        digest([b for b in model.buffers() if b.is_floating_point()]),
    )
    assert prior != digest(model.prior.parameters())
    assert owners == [id(p) for p in model.parameters()]
    assert all(p.grad is None for p in model.parameters())
    assert all(p.requires_grad for p in model.parameters())
    assert torch.equal(rng[0], torch.get_rng_state())
    assert np.array_equal(rng[1], np.random.get_state()[1])
    assert all(module.training for module in model.modules())


def test_prefit_takes_named_parameters_alone(make_chain_model, chain_data):
    model = make_chain_model()
    epsilon = model.prior.repulsion.log_epsilon.detach().clone()
    report = fit(model, chain_data, patterns=["prior.bonds.*"], max_steps=5)
    assert report.parameters == ("prior.bonds.log_k", "prior.bonds.minimum")
    assert torch.equal(epsilon, model.prior.repulsion.log_epsilon)
    assert values_of(model)["k"] != pytest.approx(START["k"])


def test_prefit_of_the_network_works_too(make_chain_model, chain_data):
    model = make_chain_model(TRUTH)
    with torch.no_grad():
        model.network[-1].bias.fill_(0.1)
    report = fit(model, chain_data.select(range(6)), patterns=["network.*"], max_steps=10)
    assert report.losses[-1] < report.losses[0] / 10


def test_without_a_trainable_prior_prefit_is_left_out_with_a_notice(
    make_chain_model, chain_data, caplog
):
    model = make_chain_model(trainable=False)
    with caplog.at_level(logging.WARNING):
        report = fit(model, chain_data)
    assert report == PrefitReport()
    assert report.to_dict()["parameters"] == []
    assert "prefit is left out: prior.* can not be trained" in caplog.text
    assert values_of(model) == pytest.approx(START)


def test_a_loss_that_is_not_finite_is_an_error_and_restores_the_values(
    make_chain_model, chain_data
):
    model = make_chain_model()
    with torch.no_grad():
        model.network[-1].bias.fill_(torch.nan)
    before = digest(model.prior.parameters())
    with pytest.raises(TrainingError, match=r"loss of the pre-fit is not finite; .* as before"):
        fit(model, chain_data)
    assert digest(model.prior.parameters()) == before


def test_a_prefit_that_has_not_converged_says_so(make_chain_model, chain_data, caplog):
    model = make_chain_model()
    with caplog.at_level(logging.WARNING):
        report = fit(model, chain_data, max_steps=2)
    assert (report.converged, report.steps) == (False, 2)
    assert "NOT converged after 2 steps" in caplog.text
    assert "(max_steps)" in caplog.text
    told = report.to_dict()
    assert told["loss_after"] < told["loss_before"]
    assert told["converged"] is False


def test_converged_at_the_start_moves_nothing(make_chain_model, chain_data):
    model = make_chain_model(TRUTH)
    before = digest(model.prior.parameters())
    report = fit(model, chain_data, tolerance=1e-4)
    assert (report.steps, report.converged, report.evaluations) == (0, True, 1)
    assert digest(model.prior.parameters()) == before


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("piror.*", r"'piror.\*' matches none of the parameters; did you mean 'prior'"),
        ("xyz", r"there are prior, network"),
    ],
)
def test_a_pattern_of_no_parameter_is_an_error(pattern, message, make_chain_model):
    with pytest.raises(ConfigError, match=message):
        check_patterns(make_chain_model(), [pattern, "prior.*"], WHERE)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_a_frozen_prior_is_bitwise_the_same_after_50_steps_with_weight_decay(
    optimizer, make_chain_model, chain_data, make_trainer, tmp_path
):
    frozen, free = make_chain_model(trainable=False), make_chain_model()
    before = digest(frozen.prior.parameters())
    few = chain_data.select(range(25))
    for model in (frozen, free):
        trainer = make_trainer(num_epochs=13, batch_size=7, optimizer=optimizer, weight_decay=0.01)
        cpu = [torch.device("cpu")]
        trainer.train(model, torch.float64, cpu, [few], [few.select([0])], str(tmp_path))
    assert digest(frozen.prior.parameters()) == before
    assert digest(free.prior.parameters()) != before


def test_a_frozen_prior_is_in_no_group_of_the_optimizer(make_chain_model):
    model = make_chain_model(trainable=False)
    optimizer = make_optimizer(model, parse({"weight_decay": 0.1}))
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in model.network.parameters()}
