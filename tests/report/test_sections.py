"""What sections of a report show of runs of each kind: failed, without energies, with spectra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtt.data import DatasetInfo, TargetInfo
from mtt.evaluation.quantities import quantities
from mtt.report.charts.curves import learning_curves
from mtt.report.charts.spectra import spectra_charts
from mtt.report.collect import Entries, Sample
from mtt.report.compose import compose
from mtt.report.kept import Kept
from mtt.report.run_data import Mark, RunData
from mtt.report.sections.findings import findings
from mtt.report.sections.summary import summary
from mtt.report.spectra import spectra

DAY = "2026-01-01 00:00:00,000"
DIPOLE = TargetInfo(unit="e*Å", kind='cartesian {"rank": 1}')


def run(state: str = "stopped", **values: Any) -> RunData:
    facts = {"state": state, **values.pop("facts", {})}
    values.setdefault("folder", Path("a"))
    return RunData(name="a", facts=facts, **values)


def test_the_error_that_ended_a_run_is_shown_in_full_and_with_its_resume_command() -> None:
    log = [f"{DAY} INFO epoch  1/6", f"{DAY} DEBUG NonFinite: options.yaml: two", "  problems"]
    text = summary(run(log=log, facts={"resume_with": "mtt train o.yaml --restart auto"}))
    assert '<p class="notice lines bad">options.yaml: two\n  problems</p>' in text
    assert '<pre tabindex="0">mtt train o.yaml --restart auto</pre>' in text
    words = "stopped by SIGTERM in epoch 5 and saved"
    signal = f"{DAY} DEBUG TrainingInterrupted: {words}; resume with: x"
    assert f'<p class="notice lines">S{words[1:]}</p>' in summary(run(log=[signal]))
    for killed in ([log[0]], [signal, log[0]]):
        assert "the process was killed" in summary(run(log=killed))
    for state in ("finished", "running"):
        assert "notice" not in summary(run(state, log=[log[0]]))


def test_a_run_that_did_not_finish_has_warnings_and_no_scan() -> None:
    one = run(warnings=["the labels differ", "train.xyz, frame 3: no label"])
    text = findings(one)
    assert text is not None
    assert "<li>The labels differ</li><li>train.xyz, frame 3: no label</li>" in text
    page = compose([one])
    assert "Warnings of the training</h2>" in page
    assert "Scan of the data" not in page


@pytest.mark.parametrize(("target", "shown"), [("energy", True), ("dipole", False)])
def test_a_model_is_used_in_engines_only_if_it_has_energies(
    target: str, shown: bool, tmp_path: Path
) -> None:
    (tmp_path / "model.pt").write_bytes(b"x")
    targets = {"energy": TargetInfo.energy(), "dipole": DIPOLE}
    info = DatasetInfo("angstrom", (1,), {target: targets[target]})
    text = summary(run("finished", info=info, folder=tmp_path))
    assert ("get_potential_energy" in text, "pair_style" in text) == (shown, shown)
    assert ("mtt eval" in text) is not shown


def test_tiles_are_of_whole_quantities() -> None:
    errors = {"dipole RMSE (e*Å)": 0.01, "dipole x RMSE (e*Å)": 0.02, "energy total RMSE (eV)": 1.0}
    text = summary(run("finished", facts={"errors": {"evaluation": {"test": errors}}}))
    assert text.count('class="tile"') == 1
    assert '<th scope="row">dipole x</th>' in text


def test_a_fine_tuning_names_its_source_and_the_errors_before_and_after() -> None:
    before = {"energy": {"rmse": 1.5, "unit": "meV/atom"}, "gone": {"rmse": 2.0, "unit": "eV"}}
    known = {
        "start": "finetune", "method": "lora", "source": {"path": "a/best.ckpt", "epoch": 10},
        "validation_before": before,
    }  # fmt: skip
    errors = {"validation": {"energy RMSE (meV/atom)": 4.0}}
    facts = {"errors": {"evaluation": errors}}
    text = summary(run("finished", provenance=known, facts=facts))
    assert "Fine-tuned from <code>a/best.ckpt</code>, epoch 10, method lora." in text
    assert '<th scope="row">energy</th><td>1.5</td><td>4</td><td>meV/atom</td>' in text
    assert "gone" not in text
    assert "Fine-tuned" not in summary(run("finished", provenance={"start": "new"}, facts=facts))


ROWS = [
    {"epoch": i, "training dipole RMSE": 1.0 / i, "training dipole x RMSE": 2.0 / i,
     "learning rate": None}
    for i in (1, 2, 3)
]  # fmt: skip


def test_components_are_details_and_marks_of_one_epoch_have_one_text() -> None:
    info = DatasetInfo("angstrom", (1,), {"dipole": DIPOLE})
    marks = [Mark(2, "best", "best"), Mark(2, "stopped", "stopped: stopped by SIGTERM")]
    one = run(rows=ROWS, info=info, marks=marks)
    charts = learning_curves([one])
    assert [(chart.title, chart.minor) for chart in charts] == [
        ("dipole RMSE", False), ("dipole x RMSE", True),
    ]  # fmt: skip
    texts = [layer["data"]["values"] for layer in charts[0].spec["layer"] if "data" in layer]
    assert texts[1] == 'at,text\n2,"best, stopped"\n'
    assert "stopped: stopped by SIGTERM" in texts[0]
    assert charts[0].spec["layer"][0]["encoding"]["y"]["axis"]["title"] == "RMSE (e*Å)"
    assert "<small>1 chart</small>" in compose([one])
    assert "There is one epoch, and no curve to draw." in compose([run(rows=ROWS[:1], info=info)])


def test_numbers_that_are_not_finite_are_counted_and_those_that_never_were_are_not() -> None:
    rows = [{"epoch": 1, "training loss": None}, {"epoch": 2, "training loss": 2.0}]
    (loss,) = learning_curves([run(rows=rows)])
    assert loss.note == "1 number is not finite and not drawn"
    other = [{"epoch": i, "learning rate": rate} for i, rate in ((1, 0.1), (2, 0.2))]
    (rate,) = learning_curves([run(rows=other), run(rows=ROWS)])[-1:]
    assert (rate.title, rate.note) == ("learning rate", "")


def test_spectra_of_a_typical_and_of_the_worst_structure_are_kept() -> None:
    info = DatasetInfo("angstrom", (1,), {"dos": TargetInfo(properties=10, unit="1/eV")})
    parts = ["training", "test"]
    found = Sample(quantities(info, totals=False, extended=False), parts)
    n, grid = 4, np.arange(10)
    found.part, found.set, found.n_atoms = [0, 1, 1, 1], [0] * n, [1] * n
    found.source = [f"dos.xyz, frame {i}" for i in range(n)]
    reference = np.tile(grid.astype(float), n)
    error = np.repeat([9.0, 0.1, 0.2, 0.3], 10)
    row, none = np.repeat(np.arange(n), 10), np.zeros(10 * n, dtype=int)
    known = row * 10 + np.tile(grid, n) != 35  # a masked point of the last structure
    columns = (row, none, reference, reference + error, np.tile(grid, n))
    found.entries[0].append(Entries(*(one[known] for one in columns)))
    typical, worst = spectra(found)
    assert [(one["which"], one["row"]) for one in (typical, worst)] == [
        ("typical", 2),
        ("worst", 3),
    ]
    assert worst["at"] == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert worst["predicted"] == pytest.approx([x + 0.3 for x in worst["at"]])
    assert typical["rmse"] == pytest.approx(0.2)


def test_spectra_are_drawn_and_few_numbers_are_not_a_spectrum() -> None:
    info = DatasetInfo("angstrom", (1,), {"dos": TargetInfo(properties=10, unit="1/eV")})
    found = Sample(quantities(info, totals=False, extended=False), ["test"])
    assert spectra(found) == []
    found.part, found.set, found.n_atoms, found.source = [0], [0], [1], ["dos.xyz, frame 7"]
    grid, zeros = np.arange(10), np.zeros(10, dtype=int)
    found.entries[0].append(Entries(zeros, zeros, grid * 1.0, grid * 2.0, grid))
    facts = [{**one, "quantity": 0} for one in spectra(found)]
    known = {"parts": ["test"], "files": ["dos.xyz"], "spectra": facts}
    quantity = {"name": "dos", "unit": "1/eV", "shown": ["1/eV", 1.0]}
    arrays = {name: np.zeros(1, dtype=int) for name in ("source", "part")}
    kept = Kept({**known, "quantities": [quantity]}, {**arrays, "frame": np.array([7])})
    typical, worst = spectra_charts(kept)
    assert typical.title == "dos: structure of median error"
    assert worst.note == "dos.xyz, frame 7, test; RMSE 5.34 1/eV"
    assert "9,predicted,18" in worst.spec["data"]["values"]
    assert spectra_charts(Kept({}, {})) == []
    found.entries[0][0] = Entries(*(one[:6] for one in found.entries[0][0]))
    assert spectra(found) == []
