"""A model for new targets and new elements, from a trained one."""

from __future__ import annotations

from dataclasses import replace

import ase.build
import numpy as np
import pytest
import torch

from mtt import Dataset, DatasetInfo, TargetInfo
from mtt.architectures.soap_bpnn import __model__ as SoapBPNN
from mtt.errors import ArchitectureError, ConfigError
from mtt.mlip.finetune.fine_tune import fine_tune
from mtt.options.training import parse
from mtt.options.yaml.overrides import deep_merge
from mtt.registry import find
from mtt.testing import predictions

SMALL = {"soap": {"max_angular": 2, "max_radial": 2}, "bpnn": {"num_neurons_per_layer": 4}}
ENERGY = TargetInfo.energy(forces=True)
INFO = DatasetInfo("angstrom", (1, 6), {"energy": ENERGY})


def hypers_of(**model):
    defaults = find("soap_bpnn").load().default_hypers["model"]
    return deep_merge(defaults, deep_merge(SMALL, model))


def made(info=INFO, dtype=torch.float64, **model):
    """A model as after a training: no weight is special, baselines are not zero."""
    torch.manual_seed(3)
    source = SoapBPNN(hypers_of(**model), info).to(dtype)
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        source.composition.values.copy_(torch.randn(source.composition.values.shape))
        source.scale.values.copy_(torch.rand(source.scale.values.shape) + 0.5)
    return source


def molecules(names, elements):
    """Labelled with energies that are a number for each element, exactly."""
    frames = []
    for i, name in enumerate(names):
        atoms = ase.build.molecule(name)
        atoms.rattle(0.05, seed=i)
        atoms.info["U"] = sum(elements[symbol] for symbol in atoms.symbols)
        frames.append(atoms)
    return frames


def dataset(frames, **targets):
    return Dataset.from_atoms(frames, {n: {"key": "U", **o} for n, o in targets.items()})


def options(method="full", **finetune):
    asked = {"read_from": "x", "method": method, "config": {}, "inherit_heads": {}, **finetune}
    return parse({"finetune": asked})


HYDROCARBONS = ["CH4", "C2H2", "C2H4", "C2H6", "C3H8"]
ALCOHOLS = ["CH3OH", "CH3CH2OH", "H2O", "CH4", "CO2"]
ENERGIES = {"H": -0.5, "C": -37.0, "O": -75.0}


def close(one, two, tolerance):
    for first, second in zip(one, two, strict=True):
        for part in ("values", "forces", "strain"):
            a, b = getattr(first["energy"], part), getattr(second["energy"], part)
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("layernorm", [True, False])
@pytest.mark.parametrize("hidden", [0, 2])
def test_new_elements_leave_predictions_for_the_known_ones_alone(layernorm, hidden):
    source = made(bpnn={"layernorm": layernorm, "num_hidden_layers": hidden})
    frames = molecules(ALCOHOLS, ENERGIES)
    data = dataset(frames, energy={"unit": "eV"})
    tuned = fine_tune(source, source.hypers, data.info, data, options())
    assert list(tuned.model.dataset_info.atomic_types) == [1, 6, 8]
    assert tuned.model.element_history == [[1, 6]]
    known = molecules(HYDROCARBONS, ENERGIES)
    close(predictions(tuned.model, known), predictions(source, known), 1e-10)
    assert "weights for O are new" in tuned.notes
    # learnt from what the known elements leave over
    rest = [
        atoms.info["U"]
        - sum(source.composition.values[[1, 6].index(z), 0] for z in atoms.numbers if z != 8)
        for atoms in frames
    ]
    counts = np.array([[list(atoms.numbers).count(8)] for atoms in frames], dtype=float)
    wanted = np.linalg.lstsq(counts, np.array(rest), rcond=None)[0]
    assert tuned.model.composition.values[2, 0].item() == pytest.approx(wanted[0], rel=1e-10)


def test_elements_that_come_later_still_leave_the_first_alone():
    source = made()
    known = molecules(HYDROCARBONS, ENERGIES)
    wanted = predictions(source, known)
    model = source
    for name, number in (("NH3", 7), ("HCN", 7), ("LiH", 3), ("CH3OH", 8)):
        frames = molecules([name], {**ENERGIES, "N": -54.0, "Li": -7.0})
        data = dataset(frames, energy={"unit": "eV"})
        model = fine_tune(model, model.hypers, data.info, data, options()).model
        assert number in model.dataset_info.atomic_types
    assert model.element_history == [[1, 6], [1, 6, 7], [1, 3, 6, 7]]
    close(predictions(model, known), wanted, 1e-9)
    for context in ("restart", "export"):
        again = SoapBPNN.load_checkpoint(model.get_checkpoint(), context)
        close(predictions(again, known), wanted, 1e-9)


def test_new_elements_are_learnt_or_refused():
    source = made()
    data = dataset(molecules(ALCOHOLS, ENERGIES), energy={"unit": "eV"})
    for method, config in (("heads", {}), ("lora", {}), ("freeze", {"freeze": ["first"]})):
        with pytest.raises(
            ConfigError, match=rf"finetune.method: O would not be learnt: .*{method}"
        ):
            fine_tune(source, source.hypers, data.info, data, options(method, config=config))


def test_architectures_that_do_not_say_how_refuse_new_elements(model, info):
    data = dataset(molecules(["NH3", "N2"], {"N": -54.0, "H": -0.5}), energy={"unit": "eV"})
    with pytest.raises(
        ArchitectureError, match=r"does not know N, and PairNetwork cannot .* H, C, O"
    ):
        fine_tune(model, model.hypers, data.info, data, options())


TWO = {"energy": {"unit": "eV"}, "energy/high": {"unit": "eV"}}


def test_a_new_target_gets_a_fresh_head_and_its_own_tables():
    source = made()
    data = dataset(molecules(HYDROCARBONS, ENERGIES), **TWO)
    torch.manual_seed(1)
    first = fine_tune(source, source.hypers, data.info, data, options())
    torch.manual_seed(1)
    second = fine_tune(source, source.hypers, data.info, data, options())
    assert first.counterparts == {"energy": "energy"}
    own, other = first.model.state_dict(), second.model.state_dict()
    assert all(torch.equal(own[name], other[name]) for name in own), "seeded"
    for name, value in source.state_dict().items():
        if name.split(".")[0] not in ("composition", "scale"):
            assert torch.equal(own[name], value)
    assert torch.equal(own["composition.values"][:, 0], source.composition.values[:, 0])
    fitted = torch.tensor([ENERGIES["H"], ENERGIES["C"]], dtype=torch.float64)
    torch.testing.assert_close(own["composition.values"][:, 1], fitted, rtol=1e-9, atol=1e-9)
    assert own["scale.values"][0] == source.scale.values[0]
    assert first.notes[0] == "the head of energy/high is new"


def test_an_inherited_head_comes_with_baseline_and_scale():
    source = made()
    data = dataset(molecules(HYDROCARBONS, ENERGIES), **{"energy/high": {"unit": "eV"}})
    asked = options("heads", inherit_heads={"energy/high": "energy"})
    tuned = fine_tune(source, source.hypers, data.info, data, asked)
    assert tuned.model.target_names == ["energy/high"]
    frames = molecules(HYDROCARBONS, ENERGIES)
    for old, new in zip(predictions(source, frames), predictions(tuned.model, frames), strict=True):
        for part in ("values", "forces", "strain"):
            assert torch.equal(getattr(old["energy"], part), getattr(new["energy/high"], part))
    trained = [name for name, p in tuned.model.named_parameters() if p.requires_grad]
    assert trained == ["heads.0.last.weight"]
    assert "the data have no energy, so the model no longer predicts it" in tuned.notes


@pytest.mark.parametrize(
    ("inherit", "unit", "message"),
    [
        ({"energy/hihg": "energy"}, "eV", r"heads.energy/hihg: the data have no target .* mean"),
        ({"energy/high": "energi"}, "eV", r"the source has no target 'energi'; did you mean"),
        ({"energy/high": "energy"}, "hartree", r"inherit_heads.energy/high: .*unit is 'hartree'"),
    ],
)
def test_heads_that_cannot_be_inherited_are_refused(inherit, unit, message):
    source = made()
    data = dataset(molecules(HYDROCARBONS, ENERGIES), **{"energy/high": {"unit": unit}})
    with pytest.raises(ConfigError, match=message):
        fine_tune(source, source.hypers, data.info, data, options(inherit_heads=inherit))


def test_a_head_of_the_source_is_not_replaced():
    source = made()
    data = dataset(molecules(HYDROCARBONS, ENERGIES), energy={"unit": "eV"})
    with pytest.raises(ConfigError, match="'energy' already has a head in the source"):
        fine_tune(
            source, source.hypers, data.info, data, options(inherit_heads={"energy": "energy"})
        )


def test_low_rank_training_trains_fresh_heads_in_full():
    source = made()
    data = dataset(molecules(HYDROCARBONS, ENERGIES), **TWO)
    model = fine_tune(source, source.hypers, data.info, data, options("lora")).model
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert "heads.1.last.weight" in trained
    assert all(".parametrizations.weight.0." in name for name in trained - {"heads.1.last.weight"})
    assert "heads.0.last.parametrizations.weight.0.up" in trained


def test_a_model_of_one_target_takes_it_under_another_name_or_refuses(model):
    data = dataset(molecules(HYDROCARBONS, ENERGIES), **{"energy/high": {"unit": "eV"}})
    hint = r"does not say which .*inherit_heads: {energy/high: energy}"
    with pytest.raises(ArchitectureError, match=hint):
        fine_tune(model, model.hypers, data.info, data, options())
    asked = options(inherit_heads={"energy/high": "energy"})
    tuned = fine_tune(model, model.hypers, data.info, data, asked)
    assert tuned.counterparts == {"energy/high": "energy"}
    with pytest.raises(
        ConfigError, match=r"method: PairNetwork does not say .*head_modules.*network"
    ):
        fine_tune(
            model,
            model.hypers,
            data.info,
            data,
            options("heads", inherit_heads={"energy/high": "energy"}),
        )


def test_baselines_and_scales_of_the_options_replace_those_of_the_source():
    source = made()
    data = dataset(molecules(HYDROCARBONS, ENERGIES), energy={"unit": "eV"})
    given = {
        "atomic_baseline": {"energy": {1: -1.0, 6: -2.0}},
        "fixed_scaling_weights": {"energy": 7.0},
    }
    tuned = fine_tune(source, source.hypers, data.info, data, options().having(**given))
    assert tuned.model.composition.values.tolist() == [[-1.0], [-2.0]]
    assert tuned.model.scales == {"energy": 7.0}
    assert torch.equal(tuned.aligned.composition.values, source.composition.values)
    assert "the baseline of energy is that of the options" in tuned.notes
    assert "the scale of energy is 7, of the options" in tuned.notes
    close(
        predictions(tuned.aligned, molecules(["C3H8"], ENERGIES)),
        predictions(source, molecules(["C3H8"], ENERGIES)),
        0,
    )


def test_elements_that_the_data_lack_stay_known():
    source = made(replace(INFO, atomic_types=(1, 6, 8)))
    data = dataset(molecules(HYDROCARBONS, ENERGIES), energy={"unit": "eV"})
    model = fine_tune(
        source, source.hypers, data.info, data, options("freeze", config={"freeze": ["first"]})
    ).model
    assert list(model.dataset_info.atomic_types) == [1, 6, 8]
    assert model.element_history is None
