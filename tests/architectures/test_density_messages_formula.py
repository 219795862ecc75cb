"""density_messages against its formulas in plain loops over atoms, images and neighbours."""

import copy
import itertools

import ase
import ase.build
import numpy as np
import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.registry import find
from mtt.testing import graph_of, systems

ARCHITECTURE = find("density_messages").load()
TYPES = (1, 6, 8)
INFO = DatasetInfo("angstrom", TYPES, {"energy": TargetInfo.energy(forces=True)})
TINY = {
    "cutoff": 3.0,
    "cutoff_width": 2.0,
    "num_radial": 3,
    "radial_decay": 0.8,
    "max_angular": 2,
    "num_channels": 4,
    "num_features": 5,
    "num_layers": 3,
    "average_neighbors": 7.0,
    "normalize": True,
    "zbl": False,
}
DEGREES = [0, 1, 1, 1, 2, 2, 2, 2, 2]


def make(**changes):
    torch.manual_seed(3)
    return ARCHITECTURE.model({**copy.deepcopy(TINY), **changes}, INFO).double()


def basis(vector: np.ndarray, hypers: dict) -> tuple[np.ndarray, np.ndarray]:
    """f √4π Y_lm up to l = 2 [9], and f B_n with 1 behind them, as textbooks write them."""
    cutoff, width = hypers["cutoff"], hypers["cutoff_width"]
    r = np.linalg.norm(vector)
    x, y, z = vector / r
    t = np.clip((r - cutoff + width) / width, 0, 1)
    f = 1 - 10 * t**3 + 15 * t**4 - 6 * t**5
    one, two = np.sqrt(3), np.sqrt(15)
    angular = [1, one * y, one * z, one * x, two * x * y, two * y * z]
    angular += [np.sqrt(5) / 2 * (3 * z * z - 1), two * x * z, two / 2 * (x * x - y * y)]
    n = np.arange(1, hypers["num_radial"] + 1)
    radial = np.sqrt(cutoff / 2) * np.sin(n * np.pi * r / cutoff) / r / n ** hypers["radial_decay"]
    return f * np.array(angular), np.append(f * radial, 1.0)


def silu(z: np.ndarray) -> np.ndarray:
    return z / (1 + np.exp(-z))


class Loops:
    """The model's numbers from its weights, one pair after the other."""

    def __init__(self, model) -> None:
        self.hypers = model.hypers
        self.weights = {name: w.numpy() for name, w in model.state_dict().items()}
        self.n_degrees = self.hypers["max_angular"] + 1
        self.n_angular = self.n_degrees**2

    def linear(self, name: str, x: np.ndarray) -> np.ndarray:
        y = self.weights[f"{name}.weight"] @ x
        return y + self.weights.get(f"{name}.bias", 0.0)

    def seen(self, k: int, x, v, vector) -> np.ndarray:
        """What a pair that leaves an atom along ``vector`` sees of it, [2 C]."""
        angular, scalar = basis(vector, self.hypers)
        value = scalar[-1] * self.linear(f"layers.{k}.constant", x)
        for n, b in enumerate(scalar[:-1]):
            value = value + b * self.weights[f"layers.{k}.radial"][n, 0]
        for lm in range(self.n_angular if k > 0 else 0):
            matrix = self.weights[f"layers.{k}.project.weight"][DEGREES[lm]]
            value = value + angular[lm] * (v[lm] @ matrix)
        return value

    def message(self, k: int, atoms, i: int, j: int, vector) -> np.ndarray:
        """[C], to atom i from j, which is at ``vector`` from i."""
        (x_i, v_i), (x_j, v_j) = atoms[i], atoms[j]
        half = self.hypers["num_channels"]
        here, there = self.seen(k, x_i, v_i, vector), self.seen(k, x_j, v_j, -vector)
        return silu(here[:half] + there[half:])

    def layer(self, k: int, atoms, pairs):
        """The atoms' scalars and densities [(x, v)] after layer ``k``."""
        channels, last = self.hypers["num_channels"], k == self.hypers["num_layers"] - 1
        results = []
        for i, (x, v) in enumerate(atoms):
            sums = np.zeros((self.n_angular, channels))
            for j, vector in pairs[i]:
                angular = basis(vector, self.hypers)[0][: self.n_angular]
                sums += np.outer(angular, self.message(k, atoms, i, j, vector))
            sums /= self.hypers["average_neighbors"]
            hidden, left = x.copy(), np.zeros_like(sums)
            for lm in range(self.n_angular):
                l = DEGREES[lm]
                mixed = sums[lm] @ self.weights[f"layers.{k}.mix.weight"][l]
                left[lm] = mixed[:channels] + (v[lm] if k > 0 else 0.0)
                product = left[lm] * mixed[channels:]
                product = product / np.sqrt(2 * l + 1)
                hidden += product @ self.weights[f"layers.{k}.products"][l]
            hidden += self.linear(f"layers.{k}.own", left[0])
            if self.hypers["normalize"]:
                hidden = hidden / np.sqrt(1 + np.mean(hidden**2))
            change = self.linear(f"layers.{k}.update", silu(hidden))
            n = len(x)
            if not last:
                gates = change[n:].reshape(self.n_degrees, channels)
                left = left * gates[DEGREES[: self.n_angular]]
            results.append((x + change[:n], left))
        return results

    def values(self, types, pairs) -> np.ndarray:
        """[n_atoms], without subtracting those of isolated atoms."""
        atoms = [(self.weights["species.weight"][t], None) for t in types]
        for k in range(self.hypers["num_layers"]):
            atoms = self.layer(k, atoms, pairs)
        hidden = [silu(self.linear("heads.0.hidden", x)) for x, _ in atoms]
        return np.array([self.linear("heads.0.last", h)[0] for h in hidden])

    def predict(self, frame: ase.Atoms) -> np.ndarray:
        types = [TYPES.index(number) for number in frame.numbers]
        alone = self.values(range(len(TYPES)), [[] for _ in TYPES])
        return self.values(types, images(frame, self.hypers["cutoff"])) - alone[types]


def images(frame: ase.Atoms, cutoff: float) -> list[list[tuple[int, np.ndarray]]]:
    """For every atom its neighbours: number and vector, from all images within 4 cells."""
    shifts = [(0, 0, 0)]
    if frame.pbc.all():
        shifts = list(itertools.product(range(-4, 5), repeat=3))
    found = []
    for i in range(len(frame)):
        near = []
        for j, shift in itertools.product(range(len(frame)), shifts):
            vector = frame.positions[j] + np.array(shift) @ frame.cell[:] - frame.positions[i]
            if 0 < np.linalg.norm(vector) < cutoff:
                near.append((j, vector))
        found.append(near)
    return found


def crystal() -> ase.Atoms:
    """A skewed cell, smaller than the cutoff: atoms see several images, and their own."""
    cell = [[2.1, 0.0, 0.0], [0.5, 2.3, 0.0], [-0.4, 0.6, 1.9]]
    return ase.Atoms("CO", [[0.0, 0.0, 0.0], [1.1, 1.2, 0.9]], cell=cell, pbc=True)


FRAMES = {
    "molecule": systems.cluster(list(TYPES))[:6],
    "crystal of a cell smaller than the cutoff": crystal(),
    "pair": ase.Atoms("OH", [[0.0, 0.0, 0.0], [0.3, -0.8, 0.4]]),
    "atom": ase.Atoms("C"),
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_layers": 1},
        {"max_angular": 0, "num_layers": 2},
        {"max_angular": 1},
        {"normalize": False},
    ],
    ids=["three layers", "one layer", "distances only", "vectors", "not normalised"],
)
@pytest.mark.parametrize("name", FRAMES)
def test_atoms_have_the_values_of_the_formulas(name, changes):
    model = make(**changes)
    found = model.predict(graph_of(model, [FRAMES[name]]))["energy"][:, 0]
    expected = Loops(model).predict(FRAMES[name])
    np.testing.assert_allclose(found.detach(), expected, rtol=0, atol=1e-10)
    assert name == "atom" or np.abs(expected).max() > 1e-5


def test_a_tiny_cell_predicts_what_its_supercell_does():
    model, frame = make(), crystal()
    small = model.predict(graph_of(model, [frame]))["energy"]
    large = model.predict(graph_of(model, [frame * (3, 2, 3)]))["energy"]
    torch.testing.assert_close(large, small.repeat(18, 1), rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", ["molecule", "crystal of a cell smaller than the cutoff"])
def test_messages_see_the_pair_from_its_other_end(name):
    """With both sets of weights exchanged, each pair has the message of its reverse."""
    model = make(num_layers=2)
    graph = graph_of(model, [FRAMES[name]])
    pairs = model.pairs(graph, model.prepare(graph))
    n_rows = graph.types.shape[0] + len(TYPES)
    layer = model.layers[1]
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n_rows, 5, generator=generator, dtype=torch.float64)
    v = torch.randn(9, n_rows, 4, generator=generator, dtype=torch.float64)
    messages = layer.messages(pairs, x, v)
    with torch.no_grad():
        for weight in (layer.radial, layer.project.weight):
            weight.copy_(weight.roll(4, dims=2))
        for weight in (layer.constant.weight, layer.constant.bias):
            weight.copy_(weight.roll(4, dims=0))
    exchanged = layer.messages(pairs, x, v)
    flat, from_there = messages.flatten(0, 1), exchanged.flatten(0, 1)[pairs.reverse]
    torch.testing.assert_close(from_there, flat, rtol=0, atol=1e-12)
    assert float((exchanged - messages).detach().abs().max()) > 0.1
