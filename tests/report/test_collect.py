"""What a report keeps of predictions equals what the model predicts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import torch

from mtt import load_model
from mtt.data import Dataset, merge
from mtt.evaluation import evaluate as score
from mtt.evaluation import predict
from mtt.report.charts.errors import error_charts
from mtt.report.charts.parity import components, parity_charts, pooled
from mtt.report.collect import Collector, Limits, sample
from mtt.report.kept import Kept
from mtt.report.summarize import summarize
from mtt.report.worst import structure_errors, verdict

TARGETS = {"energy": {"unit": "eV", "forces": True, "stress": False}}


@pytest.fixture(scope="module")
def frames(ethanol: Path) -> Any:
    read = ase.io.read(ethanol, ":")
    for i, atoms in enumerate(read):
        atoms.info["config_type"] = "cold" if i % 2 else "hot"
    # a label that is wrong by 50 eV, while its forces are right
    results = dict(read[7].calc.results)
    read[7].calc.results = {**results, "energy": results["energy"] + 50.0}
    return read


@pytest.fixture(scope="module")
def dataset(frames: Any, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    from mtt.data import read_dataset
    from mtt.options import load_eval_options

    path = tmp_path_factory.mktemp("frames") / "frames.xyz"
    ase.io.write(path, frames)
    systems = {"read_from": str(path), "length_unit": "angstrom"}
    return read_dataset(load_eval_options({"systems": systems, "targets": TARGETS})[0])


@pytest.fixture(scope="module")
def model(trained: Path) -> Any:
    return load_model(trained / "model.ckpt")


@pytest.fixture(scope="module")
def kept(model: Any, dataset: Dataset) -> Kept:
    parts = {"training": [dataset.select(range(12))], "test": [dataset.select(range(12, 20))]}
    state = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    found = sample(model, parts, Limits())
    whole = summarize(found, {"training": 12, "test": 8}, {}, Limits(), {})
    assert torch.equal(torch.random.get_rng_state(), state[0])
    assert np.array_equal(np.random.get_state()[1], state[1])
    return whole


def test_kept_components_are_the_predictions_and_labels(
    kept: Kept, model: Any, dataset: Dataset
) -> None:
    assert [one["name"] for one in kept.facts["quantities"]] == ["energy", "forces"]
    assert kept.facts["parts"] == ["training", "test"]
    for q, part in ((0, "values"), (1, "forces")):
        known = components(kept, q)
        structure = kept.of(q, "structure")
        for row in (0, 5, 15):
            number = int(kept.arrays["frame"][row])
            (one,) = predict(model, dataset.select([number]))
            size = 9.0 if q == 0 else 1.0
            target, label = one.targets["energy"], one.labels["energy"]
            mine = structure == row
            expected = [getattr(x, part).detach().double().flatten().numpy() / size
                        for x in (target, label)]  # fmt: skip
            np.testing.assert_allclose(known.predicted[mine], expected[0], rtol=1e-9, atol=1e-9)
            np.testing.assert_array_equal(known.reference[mine], expected[1])


def test_pooled_errors_are_those_of_the_evaluation(
    kept: Kept, model: Any, dataset: Dataset, tmp_path: Path
) -> None:
    report = score(model, dataset.select(range(12, 20)))
    test = kept.arrays["part"] == 1
    for q, row in enumerate(one for one in report.rows if "total" not in one.quantity):
        assert list(pooled(kept, q, test)) == pytest.approx([row.rmse, row.mae])
        if row.quantity == "forces":
            elements = kept.facts["elements"]["forces"]["test"]
            squares = sum(rmse**2 * n for rmse, _, n in elements.values())
            count = sum(n for *_, n in elements.values())
            assert 1e3 * np.sqrt(squares / count) == pytest.approx(row.rmse)


def test_a_wrong_label_is_the_worst_structure_and_is_said_to_look_like_one(kept: Kept) -> None:
    first = kept.facts["worst"][0]
    assert kept.arrays["frame"][first["row"]] == 7
    assert first["verdict"].startswith("looks like a wrong label of energy: off by ")
    assert first["verdict"].endswith("robust standard deviations, while forces fit")
    assert len(first["numbers"]) == 9
    assert not any(one["verdict"] for one in kept.facts["worst"][1:])


def test_a_verdict_needs_an_error_far_from_the_others() -> None:
    names = ["energy", "forces"]
    assert verdict(names, np.array([14.0, 0.0])) == ""
    assert "unlike the other structures" in verdict(names, np.array([20.0, 30.0]))


def test_errors_are_divided_by_element_and_by_key_of_the_files(kept: Kept) -> None:
    assert kept.facts["groups"][0]["name"] == "config_type"
    titles = [chart.title for chart in error_charts(kept)]
    assert "energy: error by config_type" in titles
    assert "forces: error by element" in titles
    assert [chart.title for chart in parity_charts(kept)] == [
        f"{name}: {what}"
        for name in ("energy", "forces")
        for what in ("predicted and reference", "distribution of errors")
    ]


def test_limits_bound_what_is_predicted_and_kept(model: Any, dataset: Dataset) -> None:
    found = sample(model, {"training": [dataset]}, Limits(structures=5))
    assert len(found) == 5
    few = sample(model, {"training": [dataset, dataset]}, Limits(seconds=0.0))
    assert 0 < len(few) <= 16
    whole = summarize(found, {"training": 20}, {}, Limits(entries=10), {})
    assert len(whole.of(1, "structure")) == 10
    assert whole.of(1, "count").sum() == 5 * 27


def test_an_evaluation_hands_over_what_a_sample_would_predict(model: Any, dataset: Dataset) -> None:
    parts = {"training": [dataset.select(range(9))],
             "test": [dataset.select([12, 11]), dataset.select(range(13, 20))]}  # fmt: skip
    collector = Collector(parts, Limits(), {"training": 4})
    for name, sets in parts.items():
        score(model, merge(sets), batch_size=4, follow=collector.of(name))
    assert collector.of("validation bulk") is None
    found = collector.found
    assert found.part == [0] * 4 + [1] * 9
    assert found.set == [0] * 4 + [0, 0] + [1] * 7
    assert found.source[4].endswith("frame 12")
    whole = sample(model, {"test": parts["test"]}, Limits())
    for quantity in (0, 1):
        ours, theirs = found.joined(quantity), whole.joined(quantity)
        first = {source: row for row, source in enumerate(whole.source)}
        for row, source in enumerate(found.source[4:], start=4):
            for name in ("element", "reference", "predicted"):
                np.testing.assert_allclose(
                    getattr(ours, name)[ours.row == row],
                    getattr(theirs, name)[theirs.row == first[source]],
                    rtol=1e-12,
                )


def test_data_sets_of_other_units_are_other_quantities(model: Any, dataset: Dataset) -> None:
    info = dataset.info
    energy = replace(info.targets["energy"], unit="kJ/mol")
    other = dataset.keep_targets(replace(info, targets={"energy": energy}))
    collector = Collector({"a": [dataset.select([0, 1])], "b": [other.select([2])]}, Limits())
    for name, one in (("a", dataset.select([0, 1])), ("b", other.select([2]))):
        score(model, one, follow=collector.of(name))
    names = [one.name for one in collector.found.quantities]
    assert names[:2] == ["energy (eV/atom)", "forces (eV/Å)"]
    assert "energy (kJ/mol/atom)" in names
    rows = [collector.found.joined(k).row.tolist() for k in range(len(names))]
    assert rows[0] == [0, 1]
    assert rows[names.index("energy (kJ/mol/atom)")] == [2]


def test_a_file_of_what_is_kept_is_read_back_and_a_damaged_one_is_refused(
    kept: Kept, tmp_path: Path
) -> None:
    from mtt.errors import CheckpointError

    path = tmp_path / "report.npz"
    kept.save(path)
    again = Kept.load(path)
    np.testing.assert_array_equal(structure_errors(again), structure_errors(kept))
    assert again.facts["worst"] == kept.facts["worst"]
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="cannot be read"):
        Kept.load(path)
