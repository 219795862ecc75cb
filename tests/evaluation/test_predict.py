"""Predictions: the same whichever way they are made, and derivatives of each other."""

from __future__ import annotations

from collections.abc import Callable

import ase
import numpy as np
import pytest
import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import (
    AtomisticModel,
    ModelCapabilities,
    ModelOutput,
    load_atomistic_model,
)

from mtt import DatasetInfo, MLIPModel, ModelInterface, Target, TargetInfo
from mtt.data import Dataset
from mtt.errors import ArchitectureError, DataError
from mtt.evaluation import predict
from mtt.evaluation.outputs import model_info
from mtt.evaluation.systems import _rows

Any_ = MLIPModel | ModelInterface | AtomisticModel

BOHR = 0.529177210903  # angstrom


def joined(model: Any_, dataset: Dataset, name: str = "energy", **options: object) -> Target:
    """The predictions of all batches as one."""
    batches = [batch.targets[name] for batch in predict(model, dataset, **options)]
    values, forces, strain = zip(*batches, strict=True)
    return Target(
        torch.cat(values),
        None if forces[0] is None else torch.cat(forces),
        None if strain[0] is None else torch.cat(strain),
    )


def assert_close(found: Target, expected: Target, tolerance: float = 1e-10) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(
            ours.double(), theirs.double(), rtol=tolerance, atol=tolerance * 1e-1
        )


def test_graphs_and_systems_give_the_same(model: MLIPModel, dataset: Dataset) -> None:
    assert_close(joined(model.export(), dataset), joined(model, dataset))


@pytest.mark.parametrize("batch_size", [2, 3, 10])
def test_batches_do_not_matter(model: MLIPModel, dataset: Dataset, batch_size: int) -> None:
    expected = joined(model, dataset, batch_size=1)
    assert_close(joined(model, dataset, batch_size=batch_size), expected)
    assert_close(joined(model.export(), dataset, batch_size=batch_size), expected)


def test_a_file_read_back_predicts_like_the_model(
    model: MLIPModel, dataset: Dataset, tmp_path
) -> None:
    model.export().save(str(tmp_path / "model.pt"))
    loaded = load_atomistic_model(str(tmp_path / "model.pt"))
    assert_close(joined(loaded, dataset, batch_size=2), joined(model, dataset))


def test_metatomics_checks_pass(model: MLIPModel, dataset: Dataset) -> None:
    checked = joined(model, dataset, check_consistency=True)
    assert_close(checked, joined(model, dataset))


def test_predictions_follow_the_order_of_the_data_set(model: MLIPModel, dataset: Dataset) -> None:
    batches = list(predict(model, dataset, batch_size=2))
    assert [batch.index.tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    labels = torch.cat([batch.labels["energy"].values for batch in batches])
    assert torch.equal(labels, dataset.target("energy").values)
    assert all(batch.seconds > 0 for batch in batches)


def test_warming_up_changes_nothing(model: MLIPModel, dataset: Dataset) -> None:
    assert_close(joined(model, dataset, warm_up=3), joined(model, dataset))


@pytest.mark.parametrize("which", ["model", "authors_model"])
def test_forces_and_strain_are_derivatives_of_the_energy(
    which: str, make_dataset: Callable[..., Dataset], request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(which)
    model = model.export() if which == "model" else model
    dataset = make_dataset()
    found = joined(model, dataset, batch_size=5)

    def energies(change: Callable[[ase.Atoms], None]) -> torch.Tensor:
        frames = [dataset.atoms(i) for i in range(len(dataset))]
        for atoms in frames:
            change(atoms)
        return joined(model, make_dataset(frames=frames), batch_size=5).values[:, 0]

    def moved(step: float) -> torch.Tensor:
        def change(atoms: ase.Atoms) -> None:
            atoms.positions[0, 1] += step

        return energies(change)

    def strained(step: float) -> torch.Tensor:
        def change(atoms: ase.Atoms) -> None:
            strain = np.eye(3)
            strain[0, 1] = strain[1, 0] = step / 2
            atoms.set_cell(atoms.cell.array @ strain, scale_atoms=False)
            atoms.positions[:] = atoms.positions @ strain

        return energies(change)

    first = torch.cat([torch.zeros(1, dtype=torch.long), dataset.n_atoms.cumsum(0)[:-1]])
    h = 1e-5
    slope = (moved(h) - moved(-h)) / (2 * h)
    torch.testing.assert_close(-found.forces[first, 1], slope, rtol=1e-6, atol=1e-8)
    slope = (strained(h) - strained(-h)) / (2 * h)
    torch.testing.assert_close(found.strain[:, 0, 1], slope, rtol=1e-6, atol=1e-8)


def test_rows_in_another_order_find_their_structures(
    authors_model: ModelInterface, dataset: Dataset
) -> None:
    expected = joined(authors_model, dataset, batch_size=1)
    assert_close(joined(authors_model, dataset, batch_size=4), expected)
    assert_close(joined(authors_model.export(), dataset, batch_size=4), expected)


def test_without_labels_energies_come_with_forces_and_strain(
    model: MLIPModel, make_dataset: Callable[..., Dataset], dataset: Dataset
) -> None:
    bare = make_dataset({})
    for given in (model, model.export()):
        (batch,) = predict(given, bare, batch_size=10)
        assert batch.labels == {}
        assert_close(batch.targets["energy"], joined(model, dataset))


def test_energy_labels_alone_still_give_forces(
    model: MLIPModel, make_dataset: Callable[..., Dataset], dataset: Dataset
) -> None:
    found = joined(model, make_dataset({"energy": TargetInfo.energy()}))
    assert_close(found, joined(model, dataset))


def test_other_units_are_converted(model: MLIPModel, make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset()
    frames = [dataset.atoms(i) for i in range(len(dataset))]
    for atoms in frames:
        atoms.set_cell(atoms.cell / BOHR)
        atoms.positions /= BOHR
    hartree = make_dataset({"energy": TargetInfo.energy("hartree")}, frames, "bohr")
    expected, found = joined(model, dataset), joined(model, hartree)
    factor = 27.211386245988
    torch.testing.assert_close(found.values * factor, expected.values, rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(found.forces * factor / BOHR, expected.forces, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(found.strain * factor, expected.strain, rtol=1e-6, atol=1e-7)


def test_targets_per_atom_are_predicted_beside_the_energy(
    make_model: Callable[[DatasetInfo], MLIPModel], make_dataset: Callable[..., Dataset]
) -> None:
    targets = {
        "energy": TargetInfo.energy(forces=True),
        "mtt::charges": TargetInfo("charge", "e", sample_kind="atom", properties=2),
    }
    dataset = make_dataset(targets)
    model = make_model(dataset.info)
    by_graph, by_system = (joined(m, dataset, "mtt::charges") for m in (model, model.export()))
    assert by_graph.values.shape == (29, 2)
    assert by_graph.forces is None
    torch.testing.assert_close(by_system.values, by_graph.values, rtol=1e-12, atol=1e-12)


def test_an_exported_model_that_offers_energies_per_atom_predicts_those_of_structures(
    model: MLIPModel, make_dataset: Callable[..., Dataset]
) -> None:
    """As the files of metatrain do."""
    exported = model.export()
    known = exported.capabilities()
    offered = ModelCapabilities(
        outputs={"energy": ModelOutput(unit="eV", sample_kind="atom")},
        atomic_types=known.atomic_types,
        interaction_range=known.interaction_range,
        length_unit=known.length_unit,
        supported_devices=known.supported_devices,
        dtype=known.dtype,
    )
    per_atom = AtomisticModel(exported.module, exported.metadata(), offered)
    for dataset in (make_dataset(), make_dataset({})):
        expected, found = (predict(one, dataset) for one in (exported, per_atom))
        for one, two in zip(expected, found, strict=True):
            assert torch.equal(one.targets["energy"].values, two.targets["energy"].values)


def test_an_unknown_element_is_found_before_anything_is_predicted(
    model: MLIPModel, make_dataset: Callable[..., Dataset]
) -> None:
    gold = ase.Atoms("CAu", [[0, 0, 0], [0, 0, 2.0]])
    dataset = make_dataset(frames=[ase.Atoms("CO", [[0, 0, 0], [0, 0, 1.1]]), gold])
    for given in (model, model.export()):
        with pytest.raises(DataError, match="frame 1: the model does not know the element Au"):
            predict(given, dataset)


def test_an_unknown_target_is_found_before_anything_is_predicted(
    model: MLIPModel, make_dataset: Callable[..., Dataset]
) -> None:
    dataset = make_dataset({"energi": TargetInfo.energy()})
    for given in (model, model.export()):
        with pytest.raises(DataError, match=r"energi: .*no such target; did you mean 'energy'\?"):
            predict(given, dataset)


def test_features_and_old_names_are_not_targets(model: MLIPModel) -> None:
    assert list(model_info(model.export()).targets) == ["energy"]


def tensor_map(*blocks: tuple[list[list[int]], list[float]]) -> TensorMap:
    return TensorMap(
        Labels("type", torch.arange(len(blocks), dtype=torch.int32)[:, None]),
        [
            TensorBlock(
                torch.tensor(values)[:, None],
                Labels(["system", "atom"], torch.tensor(samples, dtype=torch.int32)),
                [],
                Labels.range("q", 1),
            )
            for samples, values in blocks
        ],
    )


def test_a_block_for_each_element_makes_one_column() -> None:
    tensor = tensor_map(([[1, 0], [0, 1]], [3.0, 2.0]), ([[0, 0]], [1.0]))
    assert _rows("q", tensor, [2, 1], per_atom=True).tolist() == [[1.0], [2.0], [3.0]]


def test_missing_rows_are_an_error() -> None:
    with pytest.raises(ArchitectureError, match="2 rows of 'q', not one per atom"):
        _rows("q", tensor_map(([[0, 0], [1, 0]], [1.0, 2.0])), [2, 1], per_atom=True)
