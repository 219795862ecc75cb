"""Aggregations of values of atoms and spectra from few numbers, in every architecture."""

from __future__ import annotations

import ase
import ase.build
import pytest
import torch
from metatomic.torch import ModelOutput

from mtt import Dataset, DatasetInfo, MLIPModel, TargetInfo
from mtt.data import Batching, Loader
from mtt.errors import MissingPackageError
from mtt.graph import Graph
from mtt.mlip.finetune.fine_tune import carried_over
from mtt.registry import discover
from mtt.testing import Subject

SIZE_INTENSIVE = ("mean", "max", "learned")
TARGETS = {
    "mtt::sum": TargetInfo(aggregation="sum"),
    **{f"mtt::{one}": TargetInfo(extensive=False, aggregation=one) for one in SIZE_INTENSIVE},
    "mtt::dos": TargetInfo(properties=40, rank=3),
    "mtt::spectrum": TargetInfo(properties=30, rank=2, extensive=False, aggregation="learned"),
    "mtt::highest": TargetInfo(properties=20, rank=4, extensive=False, aggregation="max"),
    "mtt::shares": TargetInfo(properties=20, rank=4, extensive=False, aggregation="mean"),
}
INFO = DatasetInfo("angstrom", (6, 14), TARGETS)


def crystal(n: int) -> ase.Atoms:
    """``n`` cells of the same crystal side by side."""
    atoms = ase.build.bulk("SiC", "zincblende", a=4.0, cubic=True)
    atoms.rattle(0.1, seed=2)
    return atoms * (n, 1, 1)


@pytest.fixture(scope="module", params=sorted(discover()))
def model(request: pytest.FixtureRequest) -> MLIPModel:
    found = discover()[request.param]
    try:
        kind = found.load().model
        if "scalar" not in getattr(kind, "__supported_targets__", ()):
            pytest.skip("predicts no scalars")
        torch.manual_seed(1)
        model = kind(Subject(request.param).model_hypers, INFO)
    except MissingPackageError as error:
        pytest.skip(str(error))
    assert isinstance(model, MLIPModel)
    model = model.double().eval()
    generator = torch.Generator().manual_seed(3)
    table = torch.randn(model.composition.values.shape, generator=generator, dtype=torch.float64)
    model.composition.values.copy_(table)
    return model


def data_of(model: MLIPModel, *structures: ase.Atoms) -> Dataset:
    dataset = Dataset.from_atoms(list(structures), {})
    dataset.prepare(model.requested_neighbor_lists())
    return dataset


def graph_of(model: MLIPModel, *structures: ase.Atoms) -> Graph:
    loader = Loader(
        data_of(model, *structures), INFO.atomic_types, dtype=torch.float64,
        device=torch.device("cpu"), batching=Batching(structures=9), shuffle=False,
        cutoff=model.list_cutoff(),
    )  # fmt: skip
    return next(iter(loader.epoch(0))).graph


def test_values_of_crystals_twice_as_large(model: MLIPModel) -> None:
    graph = graph_of(model, crystal(1), crystal(2))
    found = {name: target.values for name, target in model.predict_targets(graph).items()}
    for name, values in found.items():
        assert values.shape == (2, TARGETS[name].properties)
        expected = values[0] * (2.0 if TARGETS[name].pooling == "sum" else 1.0)
        torch.testing.assert_close(values[1], expected, rtol=1e-9, atol=1e-9)


def test_every_aggregation_is_its_formula(model: MLIPModel) -> None:
    one = graph_of(model, crystal(1))
    raw = model.predict(one)
    table = model.composition.values[one.types]
    start = 0
    maps = dict(zip(model.readout.mapped, model.readout.maps, strict=True))
    for name, target in TARGETS.items():
        y = raw[name].reshape(len(table), -1)
        assert y.shape[1] == (target.rank or target.properties) + (target.pooling == "learned")
        logits = y[:, -1:]
        y = y[:, : target.rank or target.properties]
        if name in maps:
            y = y @ maps[name].weight.T
        y = y + table[:, start : start + target.properties]
        start += target.properties
        weights = torch.softmax(logits, dim=0)
        expected = {
            "sum": y.sum(0), "mean": y.mean(0), "max": y.amax(0), "learned": (weights * y).sum(0),
        }[target.pooling]  # fmt: skip
        torch.testing.assert_close(model.predict_targets(one)[name].values[0], expected)


def test_engines_get_the_same(model: MLIPModel) -> None:
    structures = crystal(1), crystal(2), crystal(1)[:3]
    dataset = data_of(model, *structures)
    systems = [dataset[i].system for i in range(3)]
    asked = {name: ModelOutput(sample_kind="system") for name in TARGETS}
    found = torch.jit.script(model)(systems, asked)
    for name, target in model.predict_targets(graph_of(model, *structures)).items():
        torch.testing.assert_close(found[name].block().values, target.values)
    by_atom = {name: ModelOutput(sample_kind="atom") for name in TARGETS}
    for name, values in model(systems, by_atom).items():
        assert values.block().values.shape == (8 + 16 + 3, TARGETS[name].properties)


def test_weights_of_the_map_and_of_atoms_learn(model: MLIPModel) -> None:
    graph = graph_of(model, crystal(1), crystal(1)[:5])
    found = model.predict_targets(graph, create_graph=True)
    spectra = [one.weight for one in model.readout.maps]
    for name, target in found.items():
        trained = [p for p in model.parameters() if p.requires_grad]
        slopes = torch.autograd.grad(
            target.values.square().sum(), trained, allow_unused=True, retain_graph=True
        )
        moved = {id(p) for p, one in zip(trained, slopes, strict=True) if one is not None}
        assert len(moved) > 1, name
        assert sum(id(one) in moved for one in spectra) == (TARGETS[name].rank > 0)


def test_a_checkpoint_brings_them_back(model: MLIPModel) -> None:
    graph = graph_of(model, crystal(1))
    again = type(model).load_checkpoint(model.get_checkpoint(), "export").eval()
    assert again.dataset_info == model.dataset_info == INFO
    for name, target in again.predict_targets(graph).items():
        assert torch.equal(target.values, model.predict_targets(graph)[name].values)


def test_heads_of_another_model_bring_their_maps(model: MLIPModel) -> None:
    if not model.head_modules():
        pytest.skip("does not say which weights are heads")
    counterparts = {"mtt::other": "mtt::spectrum", "mtt::dos": "mtt::dos"}
    info = INFO.with_targets({new: TARGETS[old] for new, old in counterparts.items()})
    other, _ = carried_over(model, model.hypers, info, counterparts)
    graph = graph_of(model, crystal(1))
    known = model.predict_targets(graph)
    for name, target in other.double().eval().predict_targets(graph).items():
        torch.testing.assert_close(target.values, known[counterparts[name]].values)
