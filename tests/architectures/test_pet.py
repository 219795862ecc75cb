"""The numbers of pet: attention, cutoffs, messages, and what turns with them."""

import copy
import json
import math
from pathlib import Path

import ase
import ase.build
import ase.io
import pytest
import torch

from mtt import DatasetInfo, Graph, TargetInfo, train
from mtt.architectures.pet.cutoff import LogCutoff
from mtt.architectures.pet.transformer import Attention, RMSNorm, arrange
from mtt.checkpoint import read
from mtt.data import Batching, Dataset, Loader
from mtt.errors import ArchitectureError
from mtt.nn import neighborhoods
from mtt.registry import find
from mtt.testing import CHECKS, Subject, run

ARCHITECTURE = find("pet").load()
TYPES = (1, 6, 8)
INFO = DatasetInfo("angstrom", TYPES, {"energy": TargetInfo.energy(forces=True, stress=True)})
TINY = {
    **dict.fromkeys(("d_pet", "d_node", "d_head", "d_feedforward"), 8),
    "cutoff": 3.0,
    "num_heads": 2,
    "num_attention_layers": 1,
}
VARIANTS = {
    "defaults": {},
    "as first published": {
        "featurizer_type": "residual",
        "transformer_type": "PostLN",
        "normalization": "LayerNorm",
        "activation": "SiLU",
    },
    "cosine": {"cutoff_function": "Cosine", "cutoff_width": 1.5, "attention_temperature": 2.0},
    "one layer": {"num_gnn_layers": 1, "num_attention_layers": 2},
}
CPU = torch.device("cpu")
DATA = Path(__file__).parents[2] / "examples" / "data" / "ethanol.xyz"


def make(info=INFO, dtype=torch.float64, **changes):
    torch.manual_seed(3)
    defaults = copy.deepcopy(ARCHITECTURE.default_hypers["model"])
    return ARCHITECTURE.model({**defaults, **TINY, **changes}, info).to(dtype)


def graph_of(frames, model) -> Graph:
    loader = Loader(
        Dataset.from_atoms(frames, {}, length_unit="angstrom"),
        model.dataset_info.atomic_types,
        cutoff=model.list_cutoff(),
        dtype=model.dtype,
        device=CPU,
        batching=Batching(structures=len(frames)),
        shuffle=False,
    )
    return next(iter(loader.epoch())).graph


def predict(model, *frames):
    return model.predict_targets(graph_of(list(frames), model), all_gradients=True)["energy"]


def molecule() -> ase.Atoms:
    atoms = ase.build.molecule("CH3CH2OH")
    atoms.rattle(0.1, seed=1)
    return atoms


def crystal() -> ase.Atoms:
    atoms = ase.build.bulk("C", "diamond", a=3.6)
    atoms.numbers[0] = 8
    atoms.rattle(0.1, seed=4)
    return atoms


# ------------------------------------------------------------------ attention


def test_attention_is_the_formula_with_weights():
    torch.manual_seed(0)
    attention = Attention(6, 2, temperature=1.5).double()
    centers = torch.tensor([0, 0, 0, 2])  # atom 1 has no neighbours
    weights = torch.tensor([1.0, 0.4, 0.01, 0.7], dtype=torch.float64)
    layout = neighborhoods(centers, torch.arange(3))
    x = torch.randn(7, 6, dtype=torch.float64)  # three atoms, then four pairs
    found = attention(x, arrange(layout, centers, weights.log()))
    q, k, v = attention.inward(x).split(6, dim=1)
    for members in ([0, 3, 4, 5], [1], [2, 6]):  # an atom, then its pairs
        f = torch.cat([torch.ones(1).double(), weights[[m - 3 for m in members[1:]]]])
        heads = []
        for part in (slice(0, 3), slice(3, 6)):
            scores = q[members, part] @ k[members, part].T / (1.5 * math.sqrt(3))
            raw = f * scores.exp()
            heads.append(raw / raw.sum(dim=1, keepdim=True) @ v[members, part])
        expected = attention.outward(torch.cat(heads, dim=1))
        torch.testing.assert_close(found[members], expected)


@pytest.mark.parametrize("kind", ["Bump", "Cosine"])
def test_a_token_at_the_cutoff_counts_as_if_it_were_not_there(kind):
    torch.manual_seed(0)
    attention = Attention(4, 1, 1.0).double()
    lengths = torch.tensor([1.0, 3.0, 1.4], dtype=torch.float64)
    centers = torch.tensor([0, 0, 1])
    log_weights = LogCutoff(3.0, 0.5, kind)(lengths)
    x = 3 * torch.randn(5, 4, dtype=torch.float64)

    def attended(pairs: list[int]) -> torch.Tensor:
        layout = neighborhoods(centers[pairs], torch.arange(2))
        tokens = arrange(layout, centers[pairs], log_weights[pairs])
        return attention(x[[0, 1, *(2 + p for p in pairs)]], tokens)

    with_it, without = attended([0, 1, 2]), attended([0, 2])
    torch.testing.assert_close(with_it[[0, 1, 2, 4]], without, rtol=0, atol=1e-13)


def test_norm_is_that_of_torch():
    x = torch.randn(5, 8, dtype=torch.float64)
    norm = RMSNorm(8).double()
    torch.nn.init.normal_(norm.weight)
    expected = torch.nn.functional.rms_norm(x, [8], norm.weight, 1e-6)
    torch.testing.assert_close(norm(x), expected, rtol=0, atol=1e-14)


# -------------------------------------------------------------------- cutoffs


def test_cutoff_functions_are_the_formulas():
    r = torch.linspace(2.6, 2.99, 40, dtype=torch.float64)
    t = (r - 2.5) / 0.5
    bump, cosine = (LogCutoff(3.0, 0.5, kind)(r).exp() for kind in ("Bump", "Cosine"))
    torch.testing.assert_close(bump, 0.5 * (1 + torch.tanh(1 / torch.tan(math.pi * t))))
    torch.testing.assert_close(cosine, 0.5 * (1 + torch.cos(math.pi * t)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["Bump", "Cosine"])
def test_cutoff_functions_end_without_a_step_and_stay_finite(kind, dtype):
    ends = [0.5, 2.5, 2.5 + 1e-6, 3.0 - 1e-6, 3.0, 3.0 + 1e-6, 4.0]
    r = torch.tensor(ends, dtype=dtype, requires_grad=True)
    values = LogCutoff(3.0, 0.5, kind)(r)
    (slopes,) = torch.autograd.grad(values.exp().sum(), r, create_graph=True)
    (second,) = torch.autograd.grad(slopes.sum(), r)
    expected = torch.tensor([1, 1, 1, 0, 0, 0, 0], dtype=dtype)
    torch.testing.assert_close(values.detach().exp(), expected, rtol=0, atol=1e-10)
    assert float(slopes.detach().abs().max()) < 1e-4
    assert all(bool(part.isfinite().all()) for part in (values, slopes, second))
    if kind == "Bump":
        assert float(second.abs().max()) < 1e-10


@pytest.mark.parametrize("width", [0.0, 3.1])
def test_a_width_beyond_the_cutoff_is_refused(width):
    with pytest.raises(ArchitectureError, match="cutoff_width: must be above 0 and at most"):
        make(cutoff_width=width)


# ---------------------------------------------------------------- predictions


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("frame", [molecule(), crystal()], ids=["molecule", "crystal"])
def test_forces_are_derivatives_of_the_energy(variant, frame):
    model = make(**VARIANTS[variant])
    generator = torch.Generator().manual_seed(0)
    shift = torch.randn(len(frame), 3, generator=generator, dtype=torch.float64)
    step, energies = 1e-4, []
    for factor in (-2, -1, 1, 2):
        moved = frame.copy()
        moved.positions += factor * step * shift.numpy()
        energies.append(float(predict(model, moved).values))
    low, left, right, high = energies
    slope = (low - 8 * left + 8 * right - high) / (12 * step)
    assert -float((predict(model, frame).forces * shift).sum()) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_compiled_models_predict_the_same(variant):
    model = make(**VARIANTS[variant]).eval()
    graph = graph_of([molecule(), crystal(), ase.Atoms("H")], model)
    scripted = torch.jit.script(model)
    results = []
    for function in (model.predict, scripted.predict):
        vectors = graph.vectors.clone().requires_grad_(True)
        energies = function(graph._replace(vectors=vectors))["energy"]
        (gradient,) = torch.autograd.grad(energies.sum(), vectors)
        results.append((energies.detach(), gradient))
    for eager, compiled in zip(*results, strict=True):
        torch.testing.assert_close(compiled, eager, rtol=0, atol=1e-12)


def test_energies_have_a_continuous_slope_of_the_force_at_the_cutoff():
    model = make()

    def at(r: float) -> tuple[float, float]:
        atoms = ase.Atoms("OCH", [[0, 0, 0], [-0.3, -1.1, 0.2], [0, 0, r]])
        predicted = predict(model, atoms)
        return float(predicted.values), float(predicted.forces[2, 2])

    gap = 1e-4
    (_, f0), (e1, f1), (_, f2) = (at(3.0 + k * gap) for k in (-1, 0, 1))
    beyond, _ = at(3.5)
    assert e1 == pytest.approx(beyond, abs=1e-13)
    assert (f0, f1, f2) == pytest.approx((0, 0, 0), abs=1e-12)
    assert abs(at(2.7)[1]) > 1e-4  # it is felt within


def test_messages_carry_one_cutoff_further_with_each_layer():
    def felt(layers: int, place: float, **changes) -> float:
        """By the last atom of a chain 2 Å apart, when the one at ``place`` moves."""
        model = make(num_gnn_layers=layers, **changes)
        chain = ase.Atoms("COHCOH", [[2.0 * k, 0.1 * k**2, 0] for k in range(6)])
        moved = chain.copy()
        moved.positions[int(place)] += [0.0, 0.0, 0.3]
        atoms = [model.predict(graph_of([one], model))["energy"][5, 0] for one in (chain, moved)]
        return float((atoms[1] - atoms[0]).detach().abs())

    published = VARIANTS["as first published"]
    assert felt(1, 4, **published) > 1e-6
    assert felt(1, 3, **published) == 0
    assert felt(2, 3, **published) > 1e-9
    assert felt(2, 2, **published) == 0
    assert make(num_gnn_layers=3, **published).interaction_range() == 9.0
    # the last messages, too, come from neighbours
    assert felt(1, 3) > 1e-9
    assert felt(1, 2) == 0
    assert felt(2, 2) > 1e-12
    assert felt(2, 1) == 0
    assert make(num_gnn_layers=3).interaction_range() == 12.0


def test_no_net_force_and_no_force_on_lone_atoms():
    model = make()
    forces = predict(model, molecule(), ase.Atoms("O")).forces
    assert float(forces[:9].sum(0).abs().max()) < 1e-13
    assert bool((forces[9] == 0).all())


@pytest.mark.parametrize("autocast", [torch.bfloat16, torch.float16])
def test_mixed_precision_agrees_with_float32_within_its_digits(autocast):
    model = make(dtype=torch.float32, d_pet=32, d_node=32, d_head=32, d_feedforward=32)
    graph = graph_of([molecule(), crystal()], model)
    exact = model.predict_targets(graph)["energy"]
    model.autocast = autocast
    low = model.predict_targets(graph)["energy"]
    assert [part.dtype for part in low] == [torch.float64, torch.float32, torch.float32]
    for one, two in zip(low, exact, strict=True):
        assert 0 < float((one - two).norm() / two.norm()) < 4e-2
    # the geometry has not passed through 16 bits
    assert float(low.forces[:9].sum(0).abs().max()) < 1e-5 * float(low.forces.abs().sum())


def test_targets_of_structures_and_of_atoms_have_readouts_of_their_own():
    targets = {
        "energy": TargetInfo.energy(forces=True),
        "mtt::charge": TargetInfo(unit="e", sample_kind="atom"),
        "mtt::levels": TargetInfo(properties=3),
    }
    info = DatasetInfo("angstrom", TYPES, targets)
    model = make(info, featurizer_type="residual")
    found = model.predict_targets(graph_of([molecule(), crystal()], model))
    shapes = {name: list(target.values.shape) for name, target in found.items()}
    assert shapes == {"energy": [2, 1], "mtt::charge": [11, 1], "mtt::levels": [2, 3]}
    subject = Subject(ARCHITECTURE, model_hypers=TINY, dataset_info=info)
    (check,) = [one for one in CHECKS if one.name == "heads serve one target each"]
    assert run(check, subject).status == "passed"


# -------------------------------------------------------------------- options


def test_there_are_as_many_parameters_as_in_metatrains_pet():
    small = {"cutoff": 5.0, "d_pet": 32, "d_node": 64, "d_head": 32, "d_feedforward": 64}
    small |= {"num_heads": 4, "num_attention_layers": 1}
    defaults = ARCHITECTURE.default_hypers["model"]
    for hypers, number in ((defaults, 2_902_786), ({**defaults, **small}, 105_538)):
        model = ARCHITECTURE.model(copy.deepcopy(hypers), INFO)
        assert sum(parameter.numel() for parameter in model.parameters()) == number


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"long_range": {"enable": True}}, "long_range.enable: long-range .* not available"),
        ({"num_neighbors_adaptive": 16}, "num_neighbors_adaptive: adaptive .* not available"),
        ({"system_conditioning": True}, "system_conditioning: .* charge and spin is not available"),
        ({"num_heads": 3}, "d_pet: must be a multiple of num_heads \\(3\\), got 8"),
    ],
)
def test_what_is_not_available_is_refused(changes, message):
    with pytest.raises(ArchitectureError, match=message):
        make(**changes)


METATRAIN = """
device: cpu
base_precision: 32
seed: 1
architecture:
  name: pet
  model:
    cutoff: 3.0
    num_neighbors_adaptive: null
    d_pet: 8
    d_head: 8
    d_node: 8
    d_feedforward: 8
    num_heads: 2
    num_attention_layers: 1
    long_range: {enable: false, use_ewald: false}
    system_conditioning: false
  training:
    batch_size: 4
    num_epochs: 6
    learning_rate: 1e-2
    warmup_fraction: 0.1
    best_model_metric: mae_prod
    grad_clip_norm: 1.0
    loss:
      energy: {type: mse, weight: 1.0, gradients: {positions: {type: mse, weight: 1.0}}}
training_set:
  systems: {read_from: ethanol.xyz, length_unit: angstrom}
  targets:
    energy: {key: energy, unit: eV, forces: {key: forces}}
validation_set: 0.2
test_set: 0.0
"""


def test_an_options_file_of_metatrain_trains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ase.io.write("ethanol.xyz", ase.io.read(DATA, ":20"))
    Path("options.yaml").write_text(METATRAIN)
    folder = train("options.yaml").directory
    lines = (folder / "history.jsonl").read_text().splitlines()
    history = [json.loads(line) for line in lines]
    first, last = history[0], history[-1]
    assert len(history) == 6
    assert last["training loss"] < 0.5 * first["training loss"]
    assert last["validation loss"] < first["validation loss"]
    products = [e["validation energy MAE"] * e["validation forces MAE"] for e in history]
    assert read(folder / "model.ckpt")["best_epoch"] == 1 + products.index(min(products))
    assert "augmentation: o3" in (folder / "options_restart.yaml").read_text()
