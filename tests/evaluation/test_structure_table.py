"""Errors of structures in a file, number for number."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mtt import MLIPModel
from mtt.data import Dataset
from mtt.errors import ConfigError, DataError
from mtt.evaluation import PerStructure, predict
from mtt.evaluation.structure_table import check_group_key, table_paths, write_table


@pytest.fixture
def found(model: MLIPModel, dataset: Dataset) -> PerStructure:
    with torch.no_grad():
        model.embedding.weight[1] = math.nan  # carbon
    found = PerStructure(dataset)
    for prediction in predict(model, dataset, batch_size=2):
        found.update(prediction)
    return found


def named(found: PerStructure, row: dict) -> dict:
    units = found.units()
    return {f"{key} ({units[key]})" if key in units else key: row[key] for key in row}


def test_csv_has_a_row_for_each_structure_with_every_number(
    found: PerStructure, tmp_path: Path
) -> None:
    write_table(tmp_path / "errors.csv", found)
    with (tmp_path / "errors.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    for row, given in zip(rows, found.rows(), strict=True):
        expected = named(found, given)
        assert list(row) == list(expected)
        assert {key: "" if v is None else str(v) for key, v in expected.items()} == row
    assert rows[3]["energy error (eV/atom)"] == "nan", "predicted so, and not missing"
    assert rows[0]["stress RMSE (eV/Å³)"] == "", "not periodic"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["errors.csv"]


def test_parquet_has_the_same_rows(found: PerStructure, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write_table(tmp_path / "errors.parquet", found)
    rows = parquet.read_table(tmp_path / "errors.parquet").to_pylist()
    expected = [named(found, row) for row in found.rows()]
    assert repr(rows) == repr(expected)


def test_other_files_are_refused_and_parquet_without_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [path.name for path in table_paths(Path("e.csv"), 2)] == ["e_0.csv", "e_1.csv"]
    with pytest.raises(ConfigError, match=r"e\.xlsx: errors of structures are written as \.csv"):
        table_paths(Path("e.xlsx"), 1)
    monkeypatch.setattr("mtt.evaluation.structure_table.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs pyarrow.*pip install 'mtt\[parquet\]'"):
        table_paths(Path("e.parquet"), 1)


def test_a_file_that_cannot_be_written_is_named(found: PerStructure, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"e\.csv: cannot be written: .*there is no folder"):
        write_table(tmp_path / "nowhere" / "e.csv", found)


def test_a_key_that_no_structure_has_is_reported_with_those_that_there_are(
    make_dataset: Callable[..., Dataset],
) -> None:
    dataset = make_dataset()
    dataset.columns.info = {"config_type": dataset.columns.n_atoms.astype(str)}
    check_group_key("config_type", [dataset])
    with pytest.raises(DataError, match=r"set\.xyz: no structure has .*did you mean 'config_type'"):
        check_group_key("configtype", [dataset, dataset.select([0])])
    with pytest.raises(DataError, match="there are config_type"):
        check_group_key("xyz", [dataset])
