"""A step on a GPU waits for it once, in the finite guard; shown without a GPU.

On the device ``meta`` there are shapes and no numbers, so that whatever reads one back fails as it
would make the host wait on a GPU; copies between host and device that wait are refused too. Under
torch's fake tensors, operations fail whose results have sizes that depend on data.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from mtt import DatasetInfo, MLIPModel, TargetInfo
from mtt.data import Batching, Dataset, Loader
from mtt.data.batching.batch import Gather
from mtt.data.batching.cut import cut
from mtt.data.batching.to_device import stage
from mtt.data.frames import Frame, FrameLabels
from mtt.mlip.networks import preparing
from mtt.options.training import parse
from mtt.ranks import SerialRanks
from mtt.registry import find
from mtt.training.losses.from_options import make_loss
from mtt.training.losses.gradients import ConflictFreeGradient, SummedGradient
from mtt.training.optimizers import make_optimizer
from mtt.training.options.defaults import default_hypers
from mtt.training.reporting.meter import Meter
from mtt.training.step import Step

META, CPU = torch.device("meta"), torch.device("cpu")
INFO = DatasetInfo("angstrom", (1, 6), {"energy": TargetInfo.energy(forces=True, stress=True)})
NAMES = ["density_messages", "soap_bpnn", "pet", "experimental.linear_ace"]
SIZES = {  # small ones: the test is of operations, not of numbers
    "density_messages": {"num_features": 4, "num_channels": 4, "max_angular": 1, "num_layers": 2},
    "soap_bpnn": {"soap": {"max_angular": 1, "max_radial": 1, "cutoff": {"radius": 3.0}}},
    "pet": {
        **dict.fromkeys(("d_pet", "d_node", "d_head", "d_feedforward"), 8),
        "num_heads": 2,
        "num_attention_layers": 1,
    },
    "experimental.linear_ace": {"max_radial": 2, "max_angular": 1, "features": 10},
}


TWO_TERMS = {
    "energy": {
        "type": "mse",
        "gradients": {"positions": {"type": "mse"}, "strain": {"type": "mse", "weight": 0}},
    }
}


class Waits(Exception):
    """The host would wait for the device."""


class _Copies(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.aten._to_copy.default:
            target = kwargs.get("device") or args[0].device
            self.check(args[0].device, target, kwargs.get("non_blocking", False))
        if func is torch.ops.aten.copy_.default:
            self.check(args[1].device, args[0].device, (*args, False)[2])
        if func is torch.ops.aten.bincount.default:
            raise Waits("torch.bincount reads its largest number")
        return func(*args, **kwargs)

    def check(self, source, target, non_blocking):
        if source != target and not non_blocking:
            raise Waits(f"a copy from {source} to {target}")


class _Literals(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func in (torch.tensor, torch.as_tensor) and result.device != CPU:
            raise Waits("numbers of the host become a tensor on the device")
        return result


@contextmanager
def no_waits() -> Iterator[None]:
    """Fail where the host would wait for the device ``meta``."""
    with _Copies(), _Literals():
        yield


class Unguarded(Step):
    """Takes every loss for finite, without looking at it."""

    looked = 0

    def _guard(self, *args):
        self.looked += 1
        return 1.0, ""


@pytest.fixture(autouse=True)
def autocast_on_meta(monkeypatch):
    """Mixed precision is off, which torch cannot be asked for on the device ``meta``."""
    known, enabled = torch.autocast, torch.is_autocast_enabled
    monkeypatch.setattr(
        torch,
        "autocast",
        lambda kind, *a, **k: nullcontext() if kind == "meta" else known(kind, *a, **k),
    )
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: kind != "meta" and enabled(kind))


@pytest.fixture(scope="module")
def dataset():
    """Molecules, a cell smaller than the cutoff, and an isolated atom."""
    random = np.random.default_rng(2)
    frames = []
    for i, n in enumerate([4, 3, 1, 2, 5, 4]):
        periodic = i == 3
        frames.append(
            Frame(
                numbers=np.array([6, 1, 1, 1, 6][:n]),
                positions=1.2 * random.permutation(np.mgrid[:2, :2, :2].reshape(3, -1).T)[:n]
                + random.normal(scale=0.05, size=(n, 3)),
                cell=2.6 * np.eye(3) if periodic else np.zeros((3, 3)),
                pbc=np.full(3, periodic),
                labels={
                    "energy": FrameLabels(
                        random.normal(size=(1, 1)),
                        random.normal(size=(n, 3)),
                        random.normal(size=(3, 3)) if periodic else np.full((3, 3), np.nan),
                    )
                },
                extra={},
                source=f"frame {i}",
            )
        )
    return Dataset.from_frames(frames, INFO)


def merged(defaults, changes):
    nested = {k: merged(defaults[k], v) for k, v in changes.items() if isinstance(v, dict)}
    return {**defaults, **changes, **nested}


def make(name: str, **options: object) -> MLIPModel:
    architecture = find(name).load()
    torch.manual_seed(1)
    hypers = merged(architecture.default_hypers["model"], SIZES[name]) | options
    return architecture.model(hypers, INFO)


def loader_of(model: MLIPModel, dataset: Dataset, device: torch.device) -> Loader:
    return Loader(
        dataset,
        INFO.atomic_types,
        cutoff=model.list_cutoff(),
        dtype=model.dtype,
        device=device,
        batching=Batching(structures=6),
        shuffle=False,
        prepare=preparing(model),
    )


def staged(model: MLIPModel, dataset: Dataset) -> Gather:
    """Gathers on the device ``meta``, where the columns are."""
    structures = np.arange(len(dataset))
    columns, pairs = dataset.columns, dataset.pairs(model.list_cutoff())
    numbers = columns.take("numbers", structures, per_atom=True).numpy()
    lookup = torch.full((256,), -1)
    lookup[list(INFO.atomic_types)] = torch.arange(len(INFO.atomic_types))
    lists = stage(columns, pairs, structures, dataset.info, META)
    gather = Gather(*lists, dataset.info, lookup, model.dtype, numbers=numbers)
    gather.lookup = lookup.to(META)
    return gather


@pytest.mark.parametrize("name", NAMES)
def test_a_training_step_waits_for_the_device_in_the_guard_alone(dataset, name):
    check_step(dataset, make(name), SummedGradient)


@pytest.mark.parametrize("gradient", [SummedGradient, ConflictFreeGradient])
def test_so_does_one_with_repulsion_at_short_distance(dataset, gradient):
    """ZBL and the repulsion of a prior, which has no list of bonds; the gradient of two terms."""
    repulsion = {"sigma": 1.8, "epsilon": 0.02, "cutoff": 2.5}
    model = make("soap_bpnn", zbl=True, prior={"repulsion": repulsion})
    check_step(dataset, model, gradient, loss=TWO_TERMS)


def check_step(dataset, model, kind, **options):
    loader = loader_of(model, dataset, META)
    options = parse({**default_hypers(), "grad_clip_norm": 0.5, **options})
    loss = make_loss(options, INFO, model.scales, dataset)
    model = copy.deepcopy(model).to(META).train()
    made = make_optimizer(model, options)
    gradient = kind([p for group in made.param_groups for p in group["params"]])
    step = Unguarded(model, made, gradient, 0.5, ranks=SerialRanks())
    meter = Meter(loss, INFO, META, ranks=SerialRanks())
    batches = list(loader.epoch())
    for batch in batches:
        assert batch.graph.prepared is not None
        with no_waits():
            result = step(loss, [batch], 1e-3)
            for seen in result.seen:
                meter.add(seen.terms, seen.predictions, seen.batch, result.norm)
    assert step.looked == len(batches) == 1


@pytest.mark.parametrize("name", NAMES)
def test_gathering_and_prediction_on_the_device_wait_for_nothing(dataset, name):
    model = make(name)
    gather, sizes = staged(model, dataset), np.array([4, 2])
    model = model.to(META).eval()
    with no_waits():
        whole, cuts = gather(np.arange(6), np.arange(6), sizes)
        batches = cut(whole, cuts, INFO)
        for batch in batches:
            assert batch.graph.prepared is None
            found = model.predict_targets(batch.graph, all_gradients=True)["energy"]
            assert found.values.shape == (len(batch.n_atoms), 1)
            assert found.forces.shape == (len(batch.graph.types), 3)
    assert len(batches) == 2


@pytest.mark.parametrize("name", NAMES)
def test_no_size_in_a_step_depends_on_data(dataset, name):
    model = make(name).train()
    options = parse(default_hypers())
    loss = make_loss(options, INFO, model.scales, dataset)
    for batch in loader_of(model, dataset, CPU).epoch():
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            fake = batch._map(mode.from_tensor)
            predicted = model.predict_targets(fake.graph, create_graph=True)
            total = sum(loss.weighted(loss(predicted, fake)))
            torch.autograd.grad(total, list(model.parameters()), allow_unused=True)


def item(graph):
    return graph.vectors.new_ones(()) * graph.vectors.sum().item()


def branch(graph):
    return graph.vectors.sum() if bool(graph.vectors.isfinite().all()) else graph.vectors.mean()


def mask(graph):
    return graph.vectors[graph.vectors > 0].sum()


def literal(graph):
    return torch.tensor([1.0, 2.0], device=graph.vectors.device).sum() * graph.vectors.sum()


def to_host(graph):
    return graph.vectors.sum().cpu()


def counts(graph):
    return torch.bincount(graph.system, minlength=graph.n_systems).sum() * graph.vectors.sum()


def repeats(graph):
    return graph.types.repeat_interleave(graph.types).sum() * graph.vectors.sum()


@pytest.mark.parametrize("function", [item, branch, mask, literal, to_host, counts, repeats])
def test_what_waits_for_the_device_is_caught(dataset, function):
    batch = next(loader_of(make("soap_bpnn"), dataset, META).epoch())
    with no_waits(), pytest.raises((Waits, RuntimeError, NotImplementedError)):
        function(batch.graph)


@pytest.mark.parametrize("function", [item, branch, mask, counts, repeats])
def test_what_depends_on_data_is_caught(dataset, function):
    batch = next(loader_of(make("soap_bpnn"), dataset, CPU).epoch())
    with FakeTensorMode() as mode:
        graph = batch._map(mode.from_tensor).graph
        with pytest.raises((DataDependentOutputException, DynamicOutputShapeException)):
            function(graph)
