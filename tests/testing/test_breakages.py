"""Each mistake in a model fails the checks that it should fail, and no others."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from mtt import Graph
from mtt.testing import CHECKS, run

ROTATION = "a rotation turns forces and keeps energies"
INVERSION = "an inversion turns forces and keeps energies"
TRANSLATION = "a translation changes nothing"
PERMUTATION = "the order of the atoms changes nothing"
ISOLATED = "an isolated atom has its energy and no force"
FAR = "two far copies have twice the energy"
SUPERCELL = "a supercell has a multiple of the energy"
BATCH = "a batch predicts what single structures do"
CONTINUOUS = "energies and forces are continuous at the cutoff"
CURVATURE = "second derivatives are continuous at the cutoff"
FORCES = "forces are derivatives of the energy"
STRESS = "stress is a derivative of the energy"
DOUBLE = "a loss on forces trains the weights"
SINGLE = "float32 agrees with float64"
EXPORT = "the exported model predicts the same"
MEMORY = "memory grows with the number of atoms"
OPERATIONS = "a larger batch takes no more operations"
ENGINES = "the exported model runs in engines"
SELECTED = "engines may ask for some of the atoms"
RANGE = "no atom feels beyond the declared range"
UPGRADES = "checkpoints of earlier versions are upgraded"
TENSORS = "all tensors move with the model"
CHECKPOINT = "the model's checkpoint brings it back"
CONTEXTS = "the trainer's checkpoint loads in every context"
RESTART = "a restart goes on with the same model"
SEED = "the same seed makes the same weights"
REPR = "repr tells what decides predictions"
TARGETS = "targets that cannot be learnt are refused"
FOLLOW = "predictions are finite and follow the geometry"
DEFAULTS = "the default options are valid and build"
SCHEMA = "the schema describes every option"
UNKNOWN = "a restart refuses unknown elements and targets"
CARRIED = "fine-tuning begins where its source ended"
HEADS = "heads serve one target each"
ELEMENTS = "new elements leave the known ones alone"
TURNING = "vectors and tensors turn with the structure"
FOLLOWING = "vectors and tensors follow their atoms"
COMPONENTS = "exported vectors and tensors have their components"
FEATURES = "features are those of atoms"
EFFECT = "inputs change their own structure"
BEGINNING = "a new input begins without effect"
ASKED = "engines are asked for the inputs"
ADAPTERS = "low-rank corrections begin as none and merge"


def failed(subject, checks=CHECKS) -> set[str]:
    outcomes = [run(check, subject) for check in checks]
    return {outcome.check.name for outcome in outcomes if outcome.status == "failed"}


def test_the_sound_model_passes_everything(make_subject) -> None:
    outcomes = [run(check, make_subject()) for check in CHECKS]
    told = [(o.check.name, o.message) for o in outcomes if o.status != "passed"]
    without = "the model declares no kind of target that turns with the structure"
    assert told == [
        *((name, without) for name in (TURNING, FOLLOWING, COMPONENTS)),
        (FEATURES, "the model has no features: it does not define atomic_features"),
        *((name, "the model takes structures alone") for name in (EFFECT, BEGINNING, ASKED)),
        (UPGRADES, "there are no earlier versions, and no stored checkpoints"),
    ]


def test_a_component_of_the_vectors_is_not_invariant(make_subject, tiny) -> None:
    class Turned(tiny):
        def pairs(self, graph: Graph) -> Tensor:
            r = torch.linalg.vector_norm(graph.vectors, dim=1, keepdim=True)
            return (1 + 0.1 * graph.vectors[:, :1]) * torch.exp(-r) * self.smooth(r).expand(-1, 4)

    assert failed(make_subject(Turned)) == {ROTATION, INVERSION}


def test_a_triple_product_is_not_invariant_under_inversion(make_subject, tiny) -> None:
    class Handed(tiny):
        def atomic_energies(self, graph: Graph) -> Tensor:
            r = torch.linalg.vector_norm(graph.vectors, dim=1, keepdim=True)
            n_atoms = graph.types.shape[0]
            axes = []
            for k in (1.0, 2.0, 3.0):
                pairs = graph.vectors * self.smooth(r) * torch.exp(-k * r)
                axes.append(pairs.new_zeros(n_atoms, 3).index_add(0, graph.centers, pairs))
            volume = (axes[0] * torch.linalg.cross(axes[1], axes[2])).sum(dim=1)
            return self.network(torch.cat([volume[:, None].expand(-1, 15)], dim=1))[:, 0]

    # the same number stands in the places of all elements, of new ones too
    assert failed(make_subject(Handed)) == {INVERSION, ELEMENTS}


def test_absolute_positions_move_with_the_structure(make_subject, tiny) -> None:
    class Placed(tiny):
        def atomic_energies(self, graph: Graph) -> Tensor:
            x = graph.positions[:, 0] - 0.2 * graph.positions[:, 2]
            return super().atomic_energies(graph) + 0.01 * torch.sin(x)

    # scripting cannot call super()
    found = failed(make_subject(Placed))
    assert {TRANSLATION, ROTATION, INVERSION, FORCES, STRESS, FAR, SUPERCELL} <= found
    assert not found & {PERMUTATION, BATCH, CHECKPOINT, CONTEXTS, RESTART, SINGLE, SEED}


def test_the_number_of_an_atom_means_nothing(make_subject, tiny) -> None:
    class Numbered(tiny):
        def densities(self, graph: Graph) -> Tensor:
            n_atoms = graph.types.shape[0]
            slots = graph.centers * self.n_types + graph.types[graph.neighbors]
            pairs = self.pairs(graph)
            first = torch.zeros(n_atoms, device=pairs.device, dtype=pairs.dtype)
            first[0] = 1.0
            density = pairs.new_zeros(n_atoms * self.n_types, 4).index_add(0, slots, pairs)
            return density.reshape(n_atoms, -1) * (1.0 + first[:, None])

    assert failed(make_subject(Numbered)) == {PERMUTATION, FAR, SUPERCELL, BATCH}


def test_a_mean_over_the_structure_is_not_extensive(make_subject, tiny) -> None:
    class Mean(tiny):
        def atomic_energies(self, graph: Graph) -> Tensor:
            density = self.densities(graph)
            element = torch.nn.functional.one_hot(graph.types, self.n_types).to(density.dtype)
            energies = self.network(torch.cat([density, element], dim=1))[:, 0]
            counts = torch.bincount(graph.system, minlength=graph.n_systems).to(density.dtype)
            return energies / counts[graph.system]

    assert failed(make_subject(Mean)) == {FAR, SUPERCELL, ISOLATED}


def test_a_batch_must_not_leak(make_subject, tiny) -> None:
    class Leaking(tiny):
        def pairs(self, graph: Graph) -> Tensor:
            r = torch.linalg.vector_norm(graph.vectors, dim=1, keepdim=True)
            return torch.exp(-r) * self.smooth(r).expand(-1, 4) / graph.n_systems

    assert failed(make_subject(Leaking)) == {BATCH}


def test_a_cutoff_without_function_jumps(make_subject, tiny) -> None:
    class Sharp(tiny):
        def smooth(self, r: Tensor) -> Tensor:
            return torch.ones_like(r)

    assert failed(make_subject(Sharp)) == {CONTINUOUS, CURVATURE}


def test_a_linear_cutoff_function_jumps_in_the_forces(make_subject, tiny) -> None:
    class Kinked(tiny):
        def smooth(self, r: Tensor) -> Tensor:
            return 1 - r / self.cutoff

    assert failed(make_subject(Kinked)) == {CONTINUOUS, CURVATURE}


def test_a_cosine_jumps_in_the_second_derivative(make_subject, tiny) -> None:
    class Cosine(tiny):
        def smooth(self, r: Tensor) -> Tensor:
            return 0.5 + 0.5 * torch.cos(r * (3.141592653589793 / self.cutoff))

    assert failed(make_subject(Cosine)) == {CURVATURE}


def test_atoms_without_pairs_count(make_subject, tiny) -> None:
    class Forgetful(tiny):
        def atomic_energies(self, graph: Graph) -> Tensor:
            if graph.centers.shape[0] == 0:
                return torch.zeros(graph.types.shape[0], dtype=graph.vectors.dtype)
            density = self.densities(graph)
            element = torch.nn.functional.one_hot(graph.types, self.n_types).to(density.dtype)
            return self.network(torch.cat([density, element], dim=1))[:, 0]

    assert failed(make_subject(Forgetful)) == {ISOLATED, BATCH, CONTINUOUS}


def test_a_mean_over_no_neighbours_is_not_a_number(make_subject, tiny) -> None:
    class Averaging(tiny):
        def densities(self, graph: Graph) -> Tensor:
            n_atoms = graph.types.shape[0]
            slots = graph.centers * self.n_types + graph.types[graph.neighbors]
            pairs = self.pairs(graph)
            density = pairs.new_zeros(n_atoms * self.n_types, 4).index_add(0, slots, pairs)
            weight = self.smooth(torch.linalg.vector_norm(graph.vectors, dim=1))
            total = weight.new_zeros(n_atoms).index_add(0, graph.centers, weight)
            return density.reshape(n_atoms, -1) / total[:, None]

    # all that look at an atom without neighbours
    with_atoms = {ISOLATED, BATCH, CONTINUOUS, CURVATURE, DOUBLE, SINGLE, EXPORT, ENGINES}
    assert failed(make_subject(Averaging)) == with_atoms


def test_detached_vectors_give_wrong_forces(make_subject, tiny) -> None:
    class Detached(tiny):
        def pairs(self, graph: Graph) -> Tensor:
            r = torch.linalg.vector_norm(graph.vectors, dim=1, keepdim=True)
            return torch.exp(-r.detach()) * self.smooth(r).expand(-1, 4)

    assert failed(make_subject(Detached)) == {FORCES, STRESS}


def test_weights_that_do_not_reach_the_forces_are_found(make_subject, tiny) -> None:
    class Frozen(tiny):
        def atomic_energies(self, graph: Graph) -> Tensor:
            density = self.densities(graph)
            element = torch.nn.functional.one_hot(graph.types, self.n_types).to(density.dtype)
            constant = self.network(torch.cat([torch.zeros_like(density), element], dim=1))[:, 0]
            return constant + density.sum(dim=1)

    assert failed(make_subject(Frozen)) == {DOUBLE}


def test_large_numbers_lose_digits(make_subject, tiny) -> None:
    class Coarse(tiny):
        def smooth(self, r: Tensor) -> Tensor:
            return (1 - r / self.cutoff) ** 3 + 3e3 - 3e3

    found = failed(make_subject(Coarse))
    assert SINGLE in found
    assert not found & {ROTATION, FAR, BATCH, FORCES, EXPORT, CHECKPOINT}


def test_what_a_checkpoint_forgets_is_found(make_subject, tiny) -> None:
    class Forgotten(tiny):
        def __init__(self, hypers, dataset_info):
            super().__init__(hypers, dataset_info)
            self.register_buffer("factors", 1 + torch.rand(4), persistent=False)

        def pairs(self, graph: Graph) -> Tensor:
            r = torch.linalg.vector_norm(graph.vectors, dim=1, keepdim=True)
            return self.factors * torch.exp(-r) * self.smooth(r)

    assert failed(make_subject(Forgotten)) == {CHECKPOINT, CONTEXTS, RESTART, CARRIED, ELEMENTS}


def test_python_that_torchscript_does_not_know_is_found(make_subject, tiny) -> None:
    class Pythonic(tiny):
        def smooth(self, r: Tensor) -> Tensor:
            return {n: (1 - r / self.cutoff) ** n for n in (1, 2, 3)}[sum([1, 2], start=0)]

    assert failed(make_subject(Pythonic)) == {EXPORT}


def test_random_numbers_from_elsewhere_are_found(make_subject, tiny) -> None:
    class Random(tiny):
        def __init__(self, hypers, dataset_info):
            super().__init__(hypers, dataset_info)
            with torch.random.fork_rng(devices=[]):
                torch.seed()
                self.extra = torch.nn.Parameter(torch.rand(3))

    assert failed(make_subject(Random)) == {SEED}


def test_options_that_repr_keeps_for_itself_are_found(make_subject, tiny) -> None:
    class Silent(tiny):
        def extra_repr(self) -> str:
            return ""

    assert failed(make_subject(Silent)) == {REPR}


def test_a_model_that_takes_every_target_is_found(make_subject, tiny) -> None:
    class Greedy(tiny):
        def __init__(self, hypers, info):
            known = {name: target for name, target in info.targets.items() if target.is_energy}
            super().__init__(hypers, info.with_targets(known))

        def restart(self, dataset_info):
            return self

    assert failed(make_subject(Greedy)) == {TARGETS, UNKNOWN}


def test_a_constant_energy_is_found(make_subject, tiny) -> None:
    class Constant(tiny):
        def smooth(self, r: Tensor) -> Tensor:
            return torch.zeros_like(r)

    assert failed(make_subject(Constant)) == {FOLLOW, DOUBLE}


def test_defaults_must_fit_the_schema(make_subject, schema) -> None:
    assert failed(make_subject(hypers={"cutoff": 3.5, "width": "six"}), CHECKS[:2]) == {DEFAULTS}
    silent, loose = map(copy.deepcopy, (schema, schema))
    del silent["properties"]["model"]["properties"]["cutoff"]["description"]
    del loose["properties"]["model"]["additionalProperties"]
    for wrong in silent, loose:
        assert failed(make_subject(schema=wrong), CHECKS[:2]) == {SCHEMA}


def test_every_check_is_named_here() -> None:
    names = {key: value for key, value in globals().items() if key.isupper() and key != "CHECKS"}
    assert {*names.values()} == {check.name for check in CHECKS}
