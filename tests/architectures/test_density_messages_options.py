"""The options of density_messages: its size, its page, what is refused, and a short training."""

import copy
import json
import logging
import re
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch
import yaml

from mtt import Dataset, DatasetInfo, TargetInfo, train
from mtt.data import Batching, Loader
from mtt.errors import ArchitectureError
from mtt.options.schema.validate import validate
from mtt.registry import PAGE, find

ARCHITECTURE = find("density_messages").load()
TARGETS = {"energy": TargetInfo.energy(forces=True), "mtt::levels": TargetInfo(properties=3)}
INFO = DatasetInfo("angstrom", (1, 6, 8), {"energy": TARGETS["energy"]})
TINY = {
    "cutoff": 4.0,
    "cutoff_width": 4.0,
    "num_radial": 5,
    "radial_decay": 0.8,
    "max_angular": 2,
    "num_channels": 6,
    "num_features": 7,
    "num_layers": 3,
    "average_neighbors": 8.0,
    "normalize": True,
    "zbl": False,
}
TEXT = (ARCHITECTURE.folder / PAGE).read_text(encoding="utf-8")
SIZES = re.findall(r"^\| (\w+) \| .* \| \d+ \| ([\d,]+) \|$", TEXT, flags=re.MULTILINE)
PRESETS = dict(re.findall(r"```yaml\n# (\w+)\n(.*?)```", TEXT, flags=re.DOTALL))


def make(info=INFO, **changes):
    return ARCHITECTURE.model({**copy.deepcopy(TINY), **changes}, info)


def size(model) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def expected_size(hypers, elements: int, properties: list[int]) -> int:
    """The number of parameters by the formulas of the page."""
    c, d, layers = (hypers[f"num_{key}"] for key in ("channels", "features", "layers"))
    degrees, n_radial = hypers["max_angular"] + 1, hypers["num_radial"]
    seen = 2 * c * (1 + d + n_radial)  # a, A, R
    densities = 2 * degrees * c * c  # V
    mixed = 2 * degrees * c * c  # P, Q
    invariants = d + d * c + degrees * c * d  # b, B, W
    update, gates = d * d + d, degrees * c * (d + 1)  # U, u
    every = seen + mixed + invariants + update
    heads = sum(d * d + d + d * p for p in properties)
    return elements * d + layers * every + (layers - 1) * (densities + gates) + heads


@pytest.mark.parametrize("changes", [{}, {"num_layers": 1}, {"max_angular": 0}, {"num_radial": 1}])
def test_the_number_of_parameters_is_that_of_the_formulas(changes):
    hypers = {**TINY, **changes}
    assert size(make(**changes)) == expected_size(hypers, 3, [1])
    several = DatasetInfo("angstrom", (1, 6, 7, 8), TARGETS)
    assert size(make(several, **changes)) == expected_size(hypers, 4, [1, 3])


def test_the_page_has_three_sizes():
    assert [name for name, _ in SIZES] == list(PRESETS) == ["small", "medium", "large"]


@pytest.mark.parametrize(("name", "number"), SIZES)
def test_the_sizes_of_the_page_are_valid_and_as_large_as_it_says(name, number):
    preset = yaml.safe_load(PRESETS[name])["model"]
    merged = copy.deepcopy(ARCHITECTURE.default_hypers)
    merged["model"].update(preset)
    assert not list(validate(merged, ARCHITECTURE.schema))
    assert size(make(**preset)) == int(number.replace(",", ""))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cutoff", 0),
        ("cutoff_width", 0),
        ("num_radial", 0),
        ("radial_decay", -1),
        ("max_angular", -1),
        ("num_channels", 0),
        ("num_features", 0),
        ("num_layers", 0),
        ("average_neighbors", 0),
        ("average_neighbors", "many"),
        ("normalize", 1),
        ("num_layers", 1.5),
        ("zbl", "yes"),
        ("num_chanels", 8),
    ],
)
def test_the_schema_refuses_what_cannot_be(key, value):
    merged = copy.deepcopy(ARCHITECTURE.default_hypers)
    merged["model"][key] = value
    (fault,) = validate(merged, ARCHITECTURE.schema)
    assert "model" in fault.path


def test_every_option_has_a_description_and_a_default():
    described = ARCHITECTURE.schema["properties"]["model"]["properties"]
    assert set(described) == set(ARCHITECTURE.default_hypers["model"]) == set(TINY)
    assert all(len(one["description"]) > 20 for one in described.values())


@pytest.mark.parametrize("width", [0.0, 4.1])
def test_a_width_beyond_the_cutoff_is_refused(width):
    with pytest.raises(ArchitectureError, match="0 < width <= cutoff"):
        make(cutoff_width=width)


def test_printing_a_model_shows_its_widths():
    text = repr(make())
    for part in (
        "l_max=2, n_radial=5",
        "SmoothCutoff(cutoff=4.0, width=4.0)",
        "n_radial=5, n_channels=6, n_features=7",
        "DegreeLinear(",
        "degrees=3, 6 -> 12",
        "Linear(in_features=7, out_features=12, bias=True)",
        "Embedding(3, 7)",
    ):
        assert part in text


def test_neighbours_are_counted_in_the_training_set_where_the_option_leaves_it_to_the_data(
    ethanol, caplog
):
    frames = ase.io.read(ethanol, ":5")
    targets = {"energy": {"key": "energy", "unit": "eV", "forces": {"key": "forces"}}}
    dataset = Dataset.from_atoms(frames, targets)
    model = make(dataset.info, average_neighbors="auto")
    cpu = {"dtype": torch.float32, "device": torch.device("cpu"), "shuffle": False, "cutoff": 4.0}

    def graphs():
        batching = Batching(structures=2)
        loader = Loader(dataset, dataset.info.atomic_types, batching=batching, **cpu)
        return (batch.graph for batch in loader.epoch(0))

    assert model.average_neighbors.item() == 16.0
    with caplog.at_level(logging.INFO):
        model.look_at(graphs)
    distances = np.array([frame.get_all_distances() for frame in frames])
    wanted = ((distances > 0) & (distances < 4.0)).sum() / distances[..., 0].size
    assert model.average_neighbors.item() == pytest.approx(wanted, abs=1 / 32)
    assert re.search(r"an atom has 7\.9 neighbours within 4 angstrom on average", caplog.text)
    # the number is stored, and it is one that both precisions have
    again = type(model).load_checkpoint(model.get_checkpoint(), "restart")
    assert again.average_neighbors == model.average_neighbors == model.double().average_neighbors

    def never():
        raise AssertionError("a given number is not counted")

    given = make(dataset.info)
    given.look_at(never)
    assert given.average_neighbors.item() == TINY["average_neighbors"]


@pytest.mark.parametrize(("old", "new"), [(16.0, "auto"), (8.0, 8.0)])
def test_the_former_default_of_neighbours_becomes_auto_and_keeps_its_number(old, new):
    known = make(average_neighbors=old).get_checkpoint()
    weights = known["model_state_dict"]
    earlier = {name: value for name, value in weights.items() if name != "average_neighbors"}
    stored = {**known, "model_ckpt_version": 3, "model_state_dict": earlier}
    upgraded = ARCHITECTURE.model.upgrade_checkpoint(stored)
    assert upgraded["model_hypers"]["average_neighbors"] == new
    assert upgraded["model_state_dict"]["average_neighbors"].item() == old
    model = ARCHITECTURE.model.load_checkpoint(upgraded, "export")
    assert model.average_neighbors.item() == old


def test_repulsion_of_nuclei_widens_the_list_only_where_it_must():
    assert make(zbl=True).list_cutoff() >= make().list_cutoff() == 4.0
    near = make(zbl=True, cutoff=1.0, cutoff_width=0.5, num_layers=1)
    assert near.list_cutoff() == near.interaction_range() > 1.0


def test_a_short_training_on_ethanol_learns_energies_and_forces(ethanol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {
        "seed": 1,
        "base_precision": 32,
        "architecture": {
            "name": "density_messages",
            "model": {**TINY, "num_channels": 8, "num_features": 8, "num_layers": 2},
            "training": {
                "batch_size": 4,
                "num_epochs": 25,
                "optimizer": "adam",
                "learning_rate": 0.02,
            },
        },
        "training_set": {
            "systems": {"read_from": str(ethanol), "length_unit": "angstrom"},
            "targets": {"energy": {"unit": "eV", "forces": True, "stress": False}},
        },
        "validation_set": 0.2,
        "test_set": 0.0,
    }
    folder = train(options).directory
    lines = Path(folder, "history.jsonl").read_text().splitlines()
    history = [json.loads(line) for line in lines]
    assert history[-1]["training loss"] < 0.2 * history[0]["training loss"]
    key = "validation forces RMSE"
    assert history[-1][key] < 0.5 * history[0][key]
