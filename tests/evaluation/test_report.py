"""The error table of a data set, and the file beside it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mtt import MLIPModel, ModelInterface, TargetInfo
from mtt.data import Dataset
from mtt.errors import ConfigError
from mtt.evaluation import evaluate, predict


@pytest.mark.parametrize("batch_size", [1, 2, 10])
def test_the_report_is_numpys_whatever_the_batch_size(
    model: MLIPModel, dataset: Dataset, batch_size: int
) -> None:
    report = evaluate(model, dataset, batch_size=batch_size)
    (whole,) = predict(model, dataset, batch_size=10)
    found, label = whole.targets["energy"], dataset.target("energy")
    energy = (found.values - label.values)[:, 0].numpy()
    forces = (found.forces - label.forces).numpy()
    periodic = np.array([1, 4])
    strain = (found.strain - label.strain).numpy()[periodic]
    stress = strain / dataset.volumes.numpy()[periodic, None, None]
    expected = {
        "energy": energy / dataset.n_atoms.numpy(),
        "energy total": energy,
        "forces": forces,
        "stress": stress,
    }
    units = {"energy": "meV/atom", "energy total": "meV", "forces": "meV/Å", "stress": "meV/Å³"}
    assert [row.quantity for row in report.rows] == list(expected)
    for row in report.rows:
        error = expected[row.quantity]
        assert row.unit == units[row.quantity]
        assert row.count == error.size
        assert row.rmse == pytest.approx(1e3 * np.sqrt(np.mean(error**2)), rel=1e-10)
        assert row.mae == pytest.approx(1e3 * np.mean(np.abs(error)), rel=1e-10)
        assert report.errors[f"{row.quantity} RMSE"] == pytest.approx(row.rmse / 1e3, rel=1e-14)


def test_time_is_reported_per_structure_and_per_atom(model: MLIPModel, dataset: Dataset) -> None:
    timing = evaluate(model, dataset).timing
    assert (timing.n_structures, timing.n_atoms) == (5, 29)
    assert timing.ms_per_atom == pytest.approx(1e3 * timing.seconds / 29)
    assert timing.ms_per_structure == pytest.approx(1e3 * timing.seconds / 5)


def test_without_labels_there_are_predictions_and_no_errors(
    model: MLIPModel, make_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    report = evaluate(model, make_dataset({}), output=tmp_path / "out.xyz")
    assert report.errors == {}
    assert report.rows == ()
    assert (tmp_path / "out.xyz").read_text().count("energy=") == 5


def test_a_target_without_gradients_is_scored_by_its_values(
    model: MLIPModel, make_dataset: Callable[..., Dataset]
) -> None:
    report = evaluate(model, make_dataset({"energy": TargetInfo.energy()}))
    assert [row.quantity for row in report.rows] == ["energy", "energy total"]


def test_a_model_that_diverged_shows_in_the_table(model: MLIPModel, dataset: Dataset) -> None:
    with torch.no_grad():
        model.network[0].weight[0, 0] = math.nan
    rows = {row.quantity: row for row in evaluate(model, dataset).rows}
    assert math.isnan(rows["energy"].rmse)
    assert rows["energy"].count == 5


def test_a_path_that_cannot_be_written_is_found_before_predicting(
    model: MLIPModel, dataset: Dataset, tmp_path: Path
) -> None:
    seen = []
    model.network.register_forward_hook(lambda *_: seen.append(1))
    with pytest.raises(ConfigError, match="there is no folder"):
        evaluate(model, dataset, output=tmp_path / "nowhere" / "out.xyz")
    assert not seen


@pytest.mark.parametrize("batch_size", [1, 3, 10])
def test_an_extended_report_is_numpys_whatever_the_batch_size(
    model: MLIPModel, dataset: Dataset, batch_size: int
) -> None:
    report = evaluate(model, dataset, batch_size=batch_size, extended=True)
    (whole,) = predict(model, dataset, batch_size=10)
    found, label = whole.targets["energy"].forces.numpy(), dataset.target("energy").forces.numpy()
    error, numbers = found - label, dataset.types.numpy()
    rows = {row.quantity: row for row in report.rows}
    for symbol, number in {"H": 1, "C": 6, "O": 8}.items():
        part, row = error[numbers == number], rows[f"forces {symbol}"]
        assert (row.count, row.unit) == (part.size, "meV/Å")
        assert row.rmse == pytest.approx(1e3 * np.sqrt(np.mean(part**2)), rel=1e-10)
        assert row.mae == pytest.approx(1e3 * np.mean(np.abs(part)), rel=1e-10)
        assert row.maximum == pytest.approx(1e3 * np.max(np.abs(part)), rel=1e-10)
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(label, axis=1)
    # the lone atom has no predicted force: perpendicular
    cosines = np.divide((found * label).sum(1), lengths, out=np.zeros(29), where=lengths > 0)
    assert report.cosines["forces cosine"] == pytest.approx(cosines.mean(), rel=1e-8)
    assert report.cosines["forces cosine"] == report.errors["forces cosine"]


def test_an_extended_report_leaves_the_other_rows_as_they_are(
    model: MLIPModel, dataset: Dataset
) -> None:
    plain = evaluate(model, dataset)
    extended = evaluate(model, dataset, extended=True)
    rows = {row.quantity: dataclasses.replace(row, maximum=None) for row in extended.rows}
    assert [rows[row.quantity] for row in plain.rows] == list(plain.rows)
    assert plain.cosines == {}


def test_an_extended_report_of_an_authors_model_has_the_elements_too(
    authors_model: ModelInterface, make_dataset: Callable[..., Dataset]
) -> None:
    report = evaluate(authors_model, make_dataset(), batch_size=2, extended=True)
    counts = {row.quantity: row.count for row in report.rows}
    assert counts["forces"] == sum(counts[f"forces {symbol}"] for symbol in ("H", "C", "O"))


def test_units_that_the_data_do_not_name_are_those_of_the_model(
    model: MLIPModel, make_dataset: Callable[..., Dataset]
) -> None:
    named = evaluate(model, make_dataset())
    target = dataclasses.replace(make_dataset().info.targets["energy"], unit="")
    unnamed = make_dataset({"energy": target}, length_unit="")
    for one in (model, model.export()):
        rows = evaluate(one, unnamed).rows
        assert [(row.quantity, row.unit) for row in rows] == [
            (row.quantity, row.unit) for row in named.rows
        ]
        assert rows[-1].rmse == pytest.approx(named.rows[-1].rmse, rel=1e-9)
