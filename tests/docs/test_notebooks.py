"""The notebooks of the examples run from top to bottom, and show what they say."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

NOTEBOOK = Path("examples") / "notebooks" / "first_model.ipynb"


@pytest.fixture(scope="module")
def notebook(root: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The executed notebook: its code cells, and what each of them showed."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "examples").symlink_to(root / "examples")
    found = nbformat.read(root / NOTEBOOK, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("MPLBACKEND", "agg")
        known = os.environ.get("PYTHONPATH", "")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(root / "src"), known]))
        client = nbclient.NotebookClient(
            found, timeout=300, resources={"metadata": {"path": str(folder)}}
        )
        client.execute()
    cells = [cell for cell in found.cells if cell.cell_type == "code"]
    return SimpleNamespace(cells=cells, folder=folder)


def shown(cell: SimpleNamespace, kind: str) -> list[str]:
    """What a cell displayed, of one kind of MIME type."""
    return [one["data"][kind] for one in cell.outputs if kind in one.get("data", {})]


def cell_with(notebook: SimpleNamespace, text: str) -> SimpleNamespace:
    (found,) = (cell for cell in notebook.cells if text in cell.source)
    return found


def test_a_training_shows_one_bar_that_is_updated(notebook: SimpleNamespace) -> None:
    cell = cell_with(notebook, 'output="cold.pt"')
    (bar,) = shown(cell, "text/html")
    assert re.search(r'<progress value="(\d+)" max="\1"', bar)
    assert "epoch 15/15, training loss" in bar
    assert "best epoch" in bar


def test_the_history_is_a_table(notebook: SimpleNamespace) -> None:
    (cell,) = (cell for cell in notebook.cells if cell.source == "cold.history")
    (table,) = shown(cell, "text/html")
    assert "<th>validation forces RMSE</th>" in table
    assert "<small>meV/Å</small>" in table
    assert table.count("<tr>") == 2 + 15


def test_the_page_of_the_run_is_named(notebook: SimpleNamespace) -> None:
    (cell,) = (cell for cell in notebook.cells if cell.source == "cold.report()")
    (text,) = shown(cell, "text/plain")
    path = re.search(r"'(.*)'", text)
    assert path is not None
    page = (notebook.folder / path[1]).read_text(encoding="utf-8")
    assert page.count("<h2") > 4


def test_fine_tuning_lowers_the_error_on_the_other_temperature(notebook: SimpleNamespace) -> None:
    *_, text = shown(cell_with(notebook, 'output="tuned.pt"'), "text/plain")
    before, after = map(float, re.findall(r"'(\d+) meV/Å'", text))
    assert after < before


def test_dynamics_with_the_exported_model_keep_the_energy(notebook: SimpleNamespace) -> None:
    outputs = cell_with(notebook, "VelocityVerlet(").outputs
    (printed,) = (one["text"] for one in outputs if one.get("name") == "stdout")
    drift = re.search(r"(\S+) meV per atom", printed)
    assert drift is not None
    assert abs(float(drift[1])) < 5.0


def test_a_notebook_is_stored_without_outputs(root: Path) -> None:
    cells = json.loads((root / NOTEBOOK).read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert not [cell["outputs"] for cell in code if cell["outputs"] or cell["execution_count"]]
