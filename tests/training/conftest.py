"""A small real model, and molecules whose energies are known in closed form."""

import json
import os
import signal
from dataclasses import replace

import ase
import numpy as np
import pytest
import torch
from ase.calculators.morse import MorsePotential
from metatomic.torch import ModelMetadata

from mtt import DatasetInfo, MLIPModel, MLIPTrainer, TargetInfo
from mtt.checkpoint import read
from mtt.data import Batching, Dataset, Loader
from mtt.data.frames import Frame, FrameLabels
from mtt.interface import Run
from mtt.options.training import parse
from mtt.ranks import SerialRanks
from mtt.training.losses.from_options import make_loss
from mtt.training.losses.gradients import ConflictFreeGradient, SummedGradient
from mtt.training.losses.loss import Loss
from mtt.training.step import Step

INFO = DatasetInfo("angstrom", (1, 6), {"energy": TargetInfo.energy(forces=True)})


class PairNet(MLIPModel):
    """A sum over pairs of a small network of the distance, with dropout.

    With ``oriented`` of the components of the vectors too, in a way that the centre's type
    decides: neither rotations nor the inversion are built in.
    """

    __checkpoint_version__ = 1
    __supported_devices__ = ["cpu", "cuda"]
    __supported_dtypes__ = [torch.float64, torch.float32]
    __default_metadata__ = ModelMetadata(name="pairs")

    def __init__(self, hypers, dataset_info, metadata=None):
        super().__init__(hypers, dataset_info, metadata)
        self.cutoff = 4.0
        width, self.oriented = hypers["width"], hypers.get("oriented", False)
        self.network = torch.nn.Sequential(
            torch.nn.Linear(8 + 3 * self.oriented, width),
            torch.nn.SiLU(),
            torch.nn.Dropout(hypers["dropout"]),
            torch.nn.Linear(width, 1),
        )

    def atomic_energies(self, graph):
        distance = torch.linalg.vector_norm(graph.vectors, dim=1, keepdim=True)
        nodes = torch.linspace(0.5, self.cutoff, 8, dtype=distance.dtype, device=distance.device)
        radial = torch.exp(-4 * (distance - nodes) ** 2)
        smooth = 0.5 * (1 + torch.cos(torch.pi * distance / self.cutoff))
        if self.oriented:
            sizes = 1 + graph.types[graph.centers].to(distance.dtype)
            radial = torch.cat([radial, graph.vectors * sizes[:, None]], dim=1)
        pairs = (self.network(radial) * smooth)[:, 0]
        zeros = pairs.new_zeros(graph.types.shape[0])
        return zeros.index_add(0, graph.centers, pairs)


class Trainer(MLIPTrainer):
    __checkpoint_version__ = 1


def molecules(n, seed):
    """Random clusters with the energies and forces of a Morse potential."""
    random = np.random.default_rng(seed)
    frames = []
    for i in range(n):
        size = 4 + i % 2
        corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], float)
        positions = 1.3 * corners[:size] + random.normal(scale=0.08, size=(size, 3))
        atoms = ase.Atoms(["C"] + ["H"] * (size - 1), positions)
        atoms.calc = MorsePotential(r0=1.4, epsilon=1.0, rho0=3.0, rcut1=3.0, rcut2=4.0)
        energy = np.array([[atoms.get_potential_energy() - 100.0 * size]])
        frames.append(
            Frame(
                numbers=atoms.numbers.astype(np.int64),
                positions=positions,
                cell=np.zeros((3, 3)),
                pbc=np.zeros(3, bool),
                labels={"energy": FrameLabels(energy, atoms.get_forces().copy())},
                extra={},
                source=f"molecules.xyz, frame {i}",
            )
        )
    return frames


@pytest.fixture(scope="session")
def frames():
    return molecules(22, seed=1)


@pytest.fixture
def dataset(frames):
    """16 structures to train on."""
    return Dataset.from_frames(frames[:16], INFO)


@pytest.fixture
def validation(frames):
    """6 structures to validate on."""
    return Dataset.from_frames(frames[16:], INFO)


@pytest.fixture
def make_model():
    """A fresh model: the same weights for the same seed."""

    def make(seed=0, dropout=0.0, info=INFO, **hypers):
        torch.manual_seed(seed)
        return PairNet({"width": 16, "dropout": dropout, **hypers}, info)

    return make


@pytest.fixture
def make_trainer():
    """A trainer of a short run, with ``hypers`` over the platform's defaults."""

    def make(directory=None, listeners=(), seed=5, **hypers):
        few = {"num_epochs": 4, "batch_size": 3, "learning_rate": 0.01, "checkpoint_interval": 2}
        trainer = Trainer({**few, **hypers})
        trainer.run = Run(seed=seed, architecture="pairs", directory=directory, listeners=listeners)
        return trainer

    return make


@pytest.fixture
def train(dataset, validation, tmp_path):
    """Train ``model`` on the molecules; checkpoints go to ``tmp_path / "checkpoints"``."""

    def run(
        trainer,
        model,
        training=dataset,
        checkpoints=tmp_path / "checkpoints",
        device="cpu",
        dtype=torch.float64,
    ):
        devices = [torch.device(device)]
        trainer.train(model, dtype, devices, [training], [validation], str(checkpoints))
        return model

    return run


@pytest.fixture
def check(dataset, validation):
    """``Trainer.check`` on the molecules."""

    def run(trainer, model, dtype=torch.float64):
        cpu = [torch.device("cpu")]
        trainer.check(model, dtype, cpu, [dataset], [validation])

    return run


@pytest.fixture(params=["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def device(request):
    """Every device of this machine, one after the other."""
    return request.param


@pytest.fixture(scope="session")
def terminate():
    """A listener that sends SIGTERM once a batch of an epoch is done; both count from 1."""

    def make(epoch, batch):
        def listener(category, values, at):
            if category == "progress" and (at, values["batch"]) == (epoch, batch):
                os.kill(os.getpid(), signal.SIGTERM)

        return listener

    return make


@pytest.fixture
def listen():
    """Set the listeners of a trainer."""

    def to(trainer, *listeners):
        trainer.run = replace(trainer.run, listeners=listeners)
        return trainer

    return to


@pytest.fixture
def last(tmp_path):
    """The checkpoint ``last.ckpt``, or another one, of :func:`train`."""
    return lambda name="last": read(tmp_path / "checkpoints" / f"{name}.ckpt")


@pytest.fixture(scope="session")
def rows():
    """The history in a checkpoint, without what depends on the clock."""

    def of(checkpoint):
        found = json.loads(checkpoint["trainer_state"]["history"])
        return [{k: v for k, v in row.items() if k != "seconds"} for row in found]

    return of


@pytest.fixture
def restart():
    """Model and trainer from a checkpoint, as ``--restart`` makes them."""

    def load(path, trainer):
        checkpoint = read(path)
        model = PairNet.load_checkpoint(checkpoint, "restart").restart(INFO)
        resumed = Trainer.load_checkpoint(checkpoint, trainer.hypers, "restart")
        resumed.run = trainer.run
        return model, resumed

    return load


@pytest.fixture
def make_batch():
    """All of a data set as one batch, for ``model``."""

    def make(dataset, model):
        loader = Loader(
            dataset,
            model.dataset_info.atomic_types,
            cutoff=model.list_cutoff(),
            dtype=model.dtype,
            batching=Batching(structures=len(dataset)),
            shuffle=False,
        )
        return next(loader.epoch())

    return make


@pytest.fixture
def make_step(make_model, dataset):
    """A step of a fresh model, and a loss; ``complete=False`` looks for missing labels."""

    def make(max_norm=None, complete=True, optimizer=torch.optim.SGD, combination="sum", **hypers):
        model = make_model().to(torch.float64)
        sets = [dataset] if complete else []
        loss = make_loss(parse(hypers), INFO, model.scales, *sets)
        if not complete:
            loss = Loss([replace(term, complete=False) for term in loss.terms])
        made = optimizer(model.parameters(), lr=1.0)
        for group in made.param_groups:
            group |= {"lr_factor": 1.0, "l2": 0.0}
        kind = {"sum": SummedGradient, "config": ConflictFreeGradient}[combination]
        return Step(
            model, made, kind(list(model.parameters())), max_norm, ranks=SerialRanks()
        ), loss

    return make


@pytest.fixture(scope="session")
def assert_equal():
    """Compares two nested values bit for bit, but for what depends on the clock."""

    def check(one, two, path=""):
        """Bit for bit, through all containers."""
        assert type(one) is type(two), path
        if isinstance(one, torch.Tensor):
            assert torch.equal(one, two), path
        elif path.endswith(".history"):
            check(json.loads(one), json.loads(two), f"{path}[]")
        elif isinstance(one, dict):
            assert list(one) == list(two), path
            for key in one:
                if key not in ("seconds", "provenance"):
                    check(one[key], two[key], f"{path}.{key}")
        elif isinstance(one, list | tuple):
            assert len(one) == len(two), path
            for i, pair in enumerate(zip(one, two, strict=True)):
                check(*pair, f"{path}[{i}]")
        else:
            assert one == two or one != one, path

    return check


@pytest.fixture(scope="session")
def history():
    """Reads ``history.jsonl``."""

    def read_lines(path):
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    return read_lines
