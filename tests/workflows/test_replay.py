"""Fine-tuning that remembers: a second head learns replayed structures of the source's kind."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mtt import train
from mtt.checkpoint import read
from mtt.errors import CheckpointError, MttError
from mtt.ranks import SerialRanks
from mtt.training import TrainingInterrupted
from mtt.workflows.finetune.replay.make import Replay
from mtt.workflows.plan import Plan
from mtt.workflows.run.folder import RunFolder
from mtt.workflows.run.load_model import load_checkpoint, model_from
from mtt.workflows.train import begin, read_inputs

Fit = Callable[..., RunFolder]
Options = dict[str, Any]


@pytest.fixture(scope="module")
def trained(tiny_options: Options, fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the tiny model; read only."""
    folder = tmp_path_factory.mktemp("source")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return fit(copy.deepcopy(tiny_options)).checkpoint.resolve()


@pytest.fixture
def files(here: Path, ethanol: Path) -> None:
    """``new.xyz``, six structures of another reference, and ``old.xyz``, the fourteen others."""
    lines = ethanol.read_text().splitlines(keepends=True)
    new, old = "".join(lines[: 6 * 11]), "".join(lines[6 * 11 :])
    shifted = re.sub(r"energy=(\S+)", lambda one: f"energy={float(one[1]) - 40.0}", new)
    (here / "new.xyz").write_text(shifted)
    (here / "old.xyz").write_text(old)


@pytest.fixture
def replay(tiny: Options, trained: Path, files: None) -> Options:
    """Options that learn ``new.xyz`` and replay ten structures of ``old.xyz``."""
    tiny["training_set"]["systems"]["read_from"] = "new.xyz"
    tiny.update(validation_set=0.34, test_set=0.0, seed=8)
    section = {"data": "old.xyz", "number": 10, "held": 0.3}
    finetune = {"read_from": str(trained), "method": "replay", "replay": section}
    tiny["architecture"]["training"].update(num_epochs=1, finetune=finetune)
    return tiny


def planned(options: Options, restart: Path | None = None) -> Plan:
    return read_inputs(options, Path("m.pt"), restart, (), (), False, SerialRanks())


def replayed(options: Options) -> Replay:
    found = planned(options).replay
    assert found is not None
    return found


def finetune_of(options: Options) -> Options:
    section: Options = options["architecture"]["training"]["finetune"]
    return section


def test_a_further_replay_keeps_the_heads_of_the_one_before(replay: Options, fit: Fit) -> None:
    first = fit(replay).checkpoint.resolve()
    finetune_of(replay)["read_from"] = str(first)
    plan = planned(replay)
    assert plan.replay is not None
    assert plan.replay.heads == {"energy/source2": "energy", "energy/source": "energy/source"}
    start = begin(plan)
    assert set(start.model.dataset_info.targets) == {"energy", *plan.replay.heads}
    assert start.provenance["step_0"]["differences"]["energy/source forces"] == 0.0
    fit(replay)
    finetune_of(replay)["replay"] |= {"labels": "file"}
    # the file has labels of one reference
    assert replayed(replay).heads == {"energy/source2": "energy"}


def test_several_files_are_replayed(replay: Options) -> None:
    lines = Path("old.xyz").read_text().splitlines(keepends=True)
    Path("one.xyz").write_text("".join(lines[: 8 * 11]))
    Path("two.xyz").write_text("".join(lines[8 * 11 :]))
    whole = replayed(replay)
    finetune_of(replay)["replay"]["data"] = ["one.xyz", "two.xyz"]
    assert replayed(replay).frames == whole.frames
    finetune_of(replay)["replay"]["data"] = [{"systems": "one.xyz"}]
    with pytest.raises(MttError, match=r"finetune\.replay\.data"):
        planned(replay)


def test_the_second_head_is_the_source_and_learns_what_the_source_predicts(
    replay: Options, trained: Path
) -> None:
    plan = planned(replay)
    assert plan.replay is not None
    assert plan.replay.learned is not None
    assert (len(plan.replay.learned), len(plan.replay.held)) == (7, 3)
    assert [*plan.data.info.targets] == ["energy", "energy/source"]
    start = begin(plan)
    differences = start.provenance["step_0"]["differences"]
    assert {name.rpartition(" ")[0] for name in differences} == {"energy", "energy/source"}
    assert set(differences.values()) == {0.0}
    errors = start.provenance["replayed"]["before"]
    assert errors["energy/source"]["rmse"] < 1e-6
    assert errors["energy/source forces"]["rmse"] < 1e-6
    # only the new labels have another reference, and only their baseline is moved
    table = start.model.composition.values
    checkpoint, architecture = load_checkpoint(trained)
    known = model_from(checkpoint, architecture, "finetune").composition.values[:, 0]
    torch.testing.assert_close(table[:, 1], known, rtol=0, atol=0)
    assert float((table[:, 0] - known).abs().max()) > 1.0
    chosen = plan.replay.frames
    assert len({*chosen["replay"], *chosen["replay_held"]}) == 10


def test_both_heads_are_trained_exported_and_reported(replay: Options) -> None:
    result = train(replay)
    assert result.directory is not None
    stored = read(result.checkpoint)
    assert [*stored["dataset_info"]["targets"]] == ["energy", "energy/source"]
    before = stored["provenance"]["replayed"]["before"]["energy/source forces"]["rmse"]
    found = json.loads((result.directory / "forgetting.json").read_text())
    assert found["structures"] == 3
    errors = found["rmse"]["energy/source forces"]
    assert errors["before"] == before < errors["after"]
    assert errors["after"] == pytest.approx(
        next(
            r.rmse
            for r in result.reports["validation"].rows
            if r.quantity == "energy/source forces"
        )
    )
    log = (result.directory / "train.log").read_text()
    assert re.search(r"fine-tuning: energy \S+ -> \S+ meV/atom; forces ", log)
    assert re.search(r"forgetting: energy/source .* on 3 held structures of the replay", log)
    frames = (result.directory / "indices" / "replay.txt").read_text().split()
    assert len(frames) == 7


def test_a_run_that_is_stopped_resumes_bit_for_bit_without_source_and_file(
    replay: Options, trained: Path, fit: Fit
) -> None:
    """Also with an anchor and rates by depth: what they need is in the run."""
    source = Path(shutil.copy(trained, "source.ckpt"))
    finetune_of(replay).update(read_from=str(source), anchor=0.1, depth_decay=0.5)
    replay["architecture"]["training"]["num_epochs"] = 3
    straight = fit(replay)

    def stop(category: str, values: Any, epoch: int) -> None:
        if category == "progress" and epoch == 2 and values["batch"] == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TrainingInterrupted):
        fit(replay, listeners=[stop])
    Path("old.xyz").unlink()
    source.unlink()
    resumed = fit(replay, "auto")
    assert resumed.path != straight.path
    one, two = read(resumed.checkpoint), read(straight.checkpoint)
    for key in ("model_state_dict", "best_model_state_dict"):
        torch.testing.assert_close(one[key], two[key], rtol=0, atol=0)
    anchors = [stored["trainer_state"]["anchor"] for stored in (one, two)]
    assert anchors[0]
    torch.testing.assert_close(*anchors, rtol=0, atol=0)
    moments = (stored["trainer_state"]["parts"]["optimizer"]["state"] for stored in (one, two))
    torch.testing.assert_close(*moments, rtol=0, atol=0)
    finetune_of(replay)["replay"]["weight"] = 2.0
    with pytest.raises(CheckpointError, match=r"finetune.replay.weight is 2.0 in the options and"):
        planned(replay, resumed.checkpoint)


def test_the_choice_follows_from_the_seed(replay: Options) -> None:
    first, again = replayed(copy.deepcopy(replay)), replayed(copy.deepcopy(replay))
    finetune_of(replay)["replay"]["select"] = "random"
    other = replayed(replay)
    assert first.frames == again.frames != other.frames


def test_labels_of_the_file_are_used_where_they_are_of_the_source(replay: Options) -> None:
    finetune_of(replay)["replay"]["labels"] = "file"
    found = replayed(replay)
    assert found.learned is not None
    energies = found.learned.target("energy/source").values
    text = Path("old.xyz").read_text()
    known = [float(one) for one in re.findall(r"energy=(\S+)", text)]
    expected = [known[i] for i in found.frames["replay"]]
    torch.testing.assert_close(energies[:, 0], torch.tensor(expected, dtype=torch.float64))


def test_other_methods_predict_the_structures_and_learn_none(
    replay: Options, trained: Path
) -> None:
    """The offset of the new labels is not counted as forgetting."""
    section = finetune_of(replay)
    section.update(method="full", replay={"data": "old.xyz", "number": 5})
    result = train({**replay, "final_eval": False})
    assert result.directory is not None
    stored = read(result.checkpoint)
    assert [*stored["dataset_info"]["targets"]] == ["energy"]
    assert "finetuning" not in stored
    assert set(stored["provenance"]["replayed"]["moved"]["energy"]) == {"H", "C", "O"}
    found = json.loads((result.directory / "forgetting.json").read_text())["rmse"]
    assert found["energy"]["before"] < 1e-6
    assert 0 < found["energy"]["after"] < 400.0  # meV/atom, of an offset of 4444
    assert found["energy forces"]["after"] > 0
    assert "energy/source" not in found


def too_many(options: Options) -> None:
    finetune_of(options)["replay"]["number"] = 15


def just_one(options: Options) -> None:
    finetune_of(options)["replay"]["number"] = 1


def no_file(options: Options) -> None:
    finetune_of(options)["replay"]["data"] = "nowhere.xyz"


def no_data(options: Options) -> None:
    finetune_of(options)["replay"] = {"number": 3}


def weight_of_nothing(options: Options) -> None:
    section = {"data": "old.xyz", "weight": 2.0, "select": "random"}
    finetune_of(options).update(method="full", replay=section)


def no_head_of_the_source(options: Options) -> None:
    targets = options["training_set"]["targets"]
    targets["energy/b"] = {"key": "energy", **targets.pop("energy"), "quantity": "energy"}


def other_elements(options: Options) -> None:
    text = Path("old.xyz").read_text()
    Path("old.xyz").write_text(re.sub(r"^O ", "S ", text, flags=re.MULTILINE))


def other_reference(options: Options) -> None:
    text = Path("old.xyz").read_text()
    shifted = re.sub(r"energy=(\S+)", lambda one: f"energy={float(one[1]) - 40.0}", text)
    Path("old.xyz").write_text(shifted)
    finetune_of(options)["replay"]["labels"] = "file"


def missing_labels(options: Options) -> None:
    text = Path("old.xyz").read_text()
    Path("old.xyz").write_text(re.sub(r"energy=\S+", "energy=nan", text, count=2))
    finetune_of(options)["replay"].update(labels="file", number=14)


def another_unit(options: Options) -> None:
    target = {**options["training_set"]["targets"]["energy"], "unit": "kcal/mol"}
    data = {"systems": {"read_from": "old.xyz"}, "targets": {"energy": target}}
    finetune_of(options)["replay"].update(labels="file", data=data)


def another_length_unit(options: Options) -> None:
    systems = {"read_from": "old.xyz", "length_unit": "nanometer"}
    finetune_of(options)["replay"]["data"] = {"systems": systems}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (another_unit, r"replay.data.targets: energy: unit is 'kcal/mol' in the data and 'eV' in"),
        (another_length_unit, r"length_unit: is 'nanometer', and that of the training .*angstrom"),
        (too_many, r"replay.number: 15 are asked for, and 14 structures of data .*at most 14"),
        (just_one, r"replay.number: one structure cannot be learned and held at once"),
        (no_file, r"replay.data.*nowhere.xyz"),
        (no_data, r"replay.data: there is nothing to replay"),
        (weight_of_nothing, r"(?s)replay.select: method full does not learn.*replay.weight: meth"),
        (no_head_of_the_source, r"replay: no target of the data begins with a head of the source"),
        (other_elements, r"replay.data \(old.xyz\): none of its 14 structures consists of H, C, O"),
        (other_reference, r"replay.data: labels of .* -4.4\d+ eV/atom .*O -\S+ eV\): the replayed"),
        (missing_labels, r"replay.data: 2 .* no energy/source: old.xyz, frame 0, old.xyz, frame 1"),
    ],
)
def test_what_cannot_be_replayed_is_refused_before_anything_is_written(
    replay: Options, change: Callable[[Options], None], message: str
) -> None:
    change(replay)
    with pytest.raises(MttError, match=message):
        begin(planned(replay))
    assert not Path("outputs").exists()
