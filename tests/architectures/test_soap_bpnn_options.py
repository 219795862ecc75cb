"""The options of soap_bpnn: what they decide, and what is refused."""

import copy

import pytest

from mtt import DatasetInfo, TargetInfo
from mtt.errors import ArchitectureError
from mtt.options.schema.validate import validate
from mtt.registry import find

ARCHITECTURE = find("soap_bpnn").load()
INFO = DatasetInfo("angstrom", (1, 6, 8), {"energy": TargetInfo.energy(forces=True)})


def hypers(**changes) -> dict:
    return {**copy.deepcopy(ARCHITECTURE.default_hypers["model"]), **changes}


def test_defaults_have_as_many_parameters_as_metatrains():
    model = ARCHITECTURE.model(hypers(), INFO)
    assert sum(parameter.numel() for parameter in model.parameters()) == 263_880
    assert model.soap.n_features == 2556


@pytest.mark.parametrize(
    ("options", "count"),
    [
        # of each element: the features (and their normalisation), the hidden layers, the last
        ((2, 32, False, {}), 2556 * 32 + 32 * 32 + 32),
        ((1, 8, True, {}), 2556 * (8 + 2) + 8),
        ((0, 8, False, {}), 2556),
        ((2, 32, True, {"energy": "mlp"}), 2556 * (32 + 2) + 2 * 32 * 32 + 32),
    ],
)
def test_options_decide_the_size_of_the_network(options, count):
    layers, width, layernorm, heads = options
    bpnn = {
        "num_hidden_layers": layers,
        "num_neurons_per_layer": width,
        "layernorm": layernorm,
    }
    model = ARCHITECTURE.model(hypers(bpnn=bpnn, heads=heads), INFO)
    assert sum(parameter.numel() for parameter in model.parameters()) == 3 * count


@pytest.mark.parametrize(
    ("key", "value", "what", "hint"),
    [
        (("long_range", "enable"), True, "not available yet: long-range interactions", ""),
        (("legacy",), False, "not available yet: the variant with chemical embeddings", ""),
        (("soap", "max_anguler"), 4, "unknown key", "did you mean 'max_angular'?"),
        (("soap", "cutoff", "radius"), -5, "must be at least 0.01, got -5", ""),
        (("bpnn", "num_hidden_layers"), "two", "expected", ""),
        (("heads", "energy"), "mpl", "expected one of", "did you mean 'mlp'?"),
    ],
)
def test_the_schema_names_what_is_wrong(key, value, what, hint):
    merged = copy.deepcopy(ARCHITECTURE.default_hypers)
    place = merged["model"]
    for name in key[:-1]:
        place = place[name]
    place[key[-1]] = value
    (fault,) = validate(merged, ARCHITECTURE.schema)
    assert tuple(fault.path) == ("model", *key)
    assert fault.what.startswith(what)
    assert fault.hint == hint or not hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"long_range": {"enable": True}}, "long_range.enable: .*not available"),
        ({"legacy": False}, "legacy: chemical embeddings are not available"),
        ({"heads": {"enrgy": "mlp"}}, "no target 'enrgy'; did you mean 'energy'"),
    ],
)
def test_the_model_refuses_what_it_cannot_do(changes, message):
    with pytest.raises(ArchitectureError, match=message):
        ARCHITECTURE.model(hypers(**changes), INFO)
