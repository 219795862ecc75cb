"""Values of pairs from a model with a closed form: evaluation, files, and the exported model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Dict, List

import ase
import metatensor.torch as mts
import numpy as np
import pytest
import torch
from metatensor.torch import Labels
from metatomic.torch import ModelMetadata, ModelOutput
from torch import Tensor

from mtt import DatasetInfo, Graph, MLIPModel, TargetInfo
from mtt.data import Batching, Dataset, Loader, kinds
from mtt.data.frames import Frame, FrameLabels
from mtt.errors import ArchitectureError, ConfigError, DataError
from mtt.evaluation import evaluate
from mtt.exporting import load_exported
from mtt.exporting.verify import verify
from mtt.mlip.support import check_targets

S, P = {"o3_lambda": 0, "num": 1}, {"o3_lambda": 1, "num": 1}
BLOCKS = kinds.of('spherical {"irreps": {"1": [{"o3_lambda": 0, "num": 1}], "8": [{"o3_lambda": 1, '
                  '"num": 1}]}, "product": "cartesian"}').for_pairs()  # fmt: skip
TARGETS = {
    "mtt::r": TargetInfo(sample_kind="atom_pair", kind='cartesian {"rank": 1}'),
    "energy": TargetInfo.energy(),
    "mtt::s": TargetInfo(sample_kind="atom_pair", kind=BLOCKS.text, exchange="symmetric"),
}
INFO = DatasetInfo("angstrom", (1, 8), TARGETS)


class OfPairs(MLIPModel):
    """Vectors of pairs, and numbers that are neither symmetric nor of the pair's elements."""

    __checkpoint_version__ = 1
    __supported_devices__: ClassVar[List[str]] = ["cpu"]
    __supported_dtypes__: ClassVar[List[torch.dtype]] = [torch.float64]
    __supported_targets__ = ("energy", "cartesian per pair", "spherical per pair")
    __default_metadata__ = ModelMetadata()

    def __init__(self, hypers: Dict[str, Any], dataset_info: DatasetInfo) -> None:
        super().__init__(hypers, dataset_info)
        self.cutoff = 3.0
        self.size: int = hypers.get("size", 16)

    def predict(self, graph: Graph) -> Dict[str, Tensor]:
        near = torch.exp(-graph.vectors.square().sum(dim=1))
        number = torch.arange(self.size, dtype=near.dtype, device=near.device)
        numbers = near[:, None] * number * (1.0 + graph.types[graph.centers, None])
        atomic = near.new_zeros(graph.types.shape[0]).index_add(0, graph.centers, near)
        vectors = graph.vectors[:, :, None]
        return {"mtt::r": vectors, "energy": atomic, "mtt::s": numbers[:, :, None]}


def structures() -> list[ase.Atoms]:
    water = ase.Atoms("OH2", [[0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]])
    return [water, ase.Atoms("HO", [[0, 0, 0], [1.2, 1.3, 1.4]], cell=[2.5, 2.6, 2.7], pbc=True)]


@pytest.fixture(scope="module")
def model() -> OfPairs:
    return OfPairs({}, INFO).double().eval()


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Two labels of the vector: the right one of water, and one that is off by 1 along x."""
    frames = []
    for i, atoms in enumerate(structures()):
        vector = atoms.positions[1] - atoms.positions[0] + np.array([float(i), 0.0, 0.0])
        labels = {"mtt::r": FrameLabels(vector[None, :, None], pairs=np.array([[0, 1, 0, 0, 0]]))}
        of = (atoms.numbers.astype(np.int64), atoms.positions, atoms.cell.array, atoms.pbc)
        frames.append(Frame(*of, labels, {}, f"a.xyz, frame {i}"))
    return Dataset.from_frames(frames, INFO.with_targets({"mtt::r": TARGETS["mtt::r"]}))


def graph_of(model: OfPairs, data: Dataset) -> Graph:
    of = {"cutoff": model.list_cutoff(), "dtype": torch.float64, "shuffle": False}
    loader = Loader(data, (1, 8), batching=Batching(structures=9), **of)  # type: ignore[arg-type]
    return next(iter(loader.epoch())).graph


def test_a_symmetric_target_is_the_mean_of_both_ends_with_its_own_components(
    model: OfPairs, data: Dataset
) -> None:
    graph = graph_of(model, data)
    raw, found = model.predict(graph)["mtt::s"], model.predict_targets(graph)["mtt::s"].values
    assert graph.rows is not None
    places, signs = torch.tensor(BLOCKS.exchange).T
    mean = 0.5 * (raw + raw[graph.rows.reverse][:, places] * signs[:, None])
    types = torch.tensor([1, 8])[graph.types]
    for start, size, elements in ((0, 1, (1, 1)), (1, 3, (1, 8)), (4, 3, (8, 1)), (7, 9, (8, 8))):
        own = (types[graph.centers] == elements[0]) & (types[graph.neighbors] == elements[1])
        part = slice(start, start + size)
        torch.testing.assert_close(found[own, part], mean[own, part])
        assert not bool(found[~own, part].any())


def test_errors_are_those_of_labelled_pairs(model: OfPairs, data: Dataset) -> None:
    for batch_size in (1, 2):
        report = evaluate(model, data, batch_size=batch_size, per_structure=True)
        assert report.errors["mtt::r RMSE"] == pytest.approx((1 / 6) ** 0.5)
        assert report.structures is not None
        rows = [row["mtt::r RMSE"] for row in report.structures.rows()]
        assert rows == pytest.approx([0.0, (1 / 3) ** 0.5])


def test_predictions_are_written_with_their_pairs(
    model: OfPairs, data: Dataset, tmp_path: Path
) -> None:
    evaluate(model, data, output=tmp_path / "out.mts", references=True)
    block = mts.load(str(tmp_path / "out_mtt::r.mts")).block()
    names = ["system", "first_atom", "second_atom", "cell_shift_a", "cell_shift_b", "cell_shift_c"]
    assert block.samples.names == names
    assert len(block.samples) == len(graph_of(model, data).centers)
    for (system, i, j, *shift), vector in zip(
        block.samples.values.tolist(), block.values, strict=True
    ):
        atoms = structures()[system]
        wanted = atoms.positions[j] - atoms.positions[i] + np.array(shift) @ atoms.cell.array
        np.testing.assert_allclose(vector[:, 0], wanted, atol=1e-12)
    labels = mts.load(str(tmp_path / "out_REF_mtt::r.mts")).block()
    assert labels.samples.values.tolist() == [[0, 0, 1, 0, 0, 0], [1, 0, 1, 0, 0, 0]]
    with pytest.raises(ConfigError, match=r"of atoms \(mtt::r\) are written as .mts .*-o out.mts"):
        evaluate(model, data, output=tmp_path / "out.xyz")


def test_the_exported_model_gives_the_same_pairs(
    model: OfPairs, data: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    exported = model.export()
    exported.save(str(path))
    verify(model, exported, path, data)
    loaded = load_exported(path)
    outputs = loaded.capabilities().outputs
    assert {n: outputs[n].sample_kind for n in TARGETS} == {
        "mtt::r": "atom_pair", "energy": "atom", "mtt::s": "atom_pair"
    }  # fmt: skip
    bare = data.keep_targets(INFO.with_targets({}))
    for one, other in ((model, tmp_path / "own.mts"), (loaded, tmp_path / "file.mts")):
        evaluate(one, bare, output=other, batch_size=2)
    for name in ("mtt::r", "mtt::s"):
        own, found = (mts.load(str(tmp_path / f"{k}_{name}.mts")) for k in ("own", "file"))
        mts.allclose_raise(own, found, atol=1e-12)
    with pytest.raises(ConfigError, match="metatomic's checks do not know values of pairs"):
        evaluate(loaded, data, check_consistency=True)


def test_a_model_of_pairs_alone_is_exported(tmp_path: Path) -> None:
    pairs = INFO.with_targets({"mtt::r": TARGETS["mtt::r"]})
    path = tmp_path / "model.pt"
    OfPairs({}, pairs).double().eval().export().save(str(path))
    assert list(load_exported(path).capabilities().outputs) == ["mtt::r"]


def test_engines_get_the_pairs_of_the_atoms_that_they_ask_for(
    model: OfPairs, data: Dataset
) -> None:
    data.prepare(model.requested_neighbor_lists())
    systems = [data[i].system for i in range(2)]
    outputs = {"mtt::s": ModelOutput(sample_kind="atom_pair")}
    chosen = Labels(["system", "atom"], torch.tensor([[0, 1]]))
    whole, some = (model(systems, outputs, one)["mtt::s"] for one in (None, chosen))
    for all_of, part in zip(whole.blocks(), some.blocks(), strict=True):
        rows = all_of.samples.values
        keep = (rows[:, 0] == 0) & (rows[:, 1] == 1)
        assert part.samples.values.tolist() == rows[keep].tolist()
        torch.testing.assert_close(part.values, all_of.values[keep])


def test_what_does_not_fit_is_refused(model: OfPairs, data: Dataset) -> None:
    numbers = r"returns \[5, 1\] numbers of 'mtt::s' for each pair, not \[16, 1\]"
    with pytest.raises(ArchitectureError, match=numbers):
        OfPairs({"size": 5}, INFO).double().predict_targets(graph_of(model, data))
    kind = r"Energies cannot predict target 'mtt::r' \(cartesian per pair\); .* density_messages"
    with pytest.raises(ArchitectureError, match=kind):
        check_targets("Energies", ("energy",), False, INFO)
    short = OfPairs({}, INFO).double()
    short.cutoff = 0.9
    with pytest.raises(DataError, match="the pair of O0 and H1 has a label of 'mtt::r' at 1 ang"):
        evaluate(short, data)
