"""A model at an address serves wherever its file does, and is read as carefully."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtt import evaluate, export, load_model
from mtt.checkpoint import read
from mtt.errors import CheckpointError
from mtt.fetching import cache
from mtt.workflows.import_model import import_model
from mtt.workflows.run.folder import RunFolder
from mtt.workflows.show import show

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def theirs(web: Any, metatrain_format: SimpleNamespace) -> str:
    """The address of a checkpoint in the format of metatrain's PET."""
    model = metatrain_format.model(d_node=6)
    path = metatrain_format.write(Path("theirs.ckpt"), metatrain_format.content(model))
    url = web.file("/models/theirs.ckpt", path.read_bytes())
    path.unlink()
    return str(url)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_model_of_another_program_is_imported_from_its_address(theirs: str) -> None:
    done = import_model(theirs)
    assert done.path == Path("theirs-imported.ckpt")
    origin = read(done.path)["provenance"]["imported"]
    assert (origin["url"], origin["file"]) == (theirs, "theirs.ckpt")
    assert show(done.path)["provenance"]["imported"]["sha256"] == origin["sha256"]


def test_a_checkpoint_is_shown_kept_and_evaluated_from_its_address(
    web: Any, trained: Path, ethanol: Path
) -> None:
    body = (trained / "model.ckpt").read_bytes()
    url = web.file("/model.ckpt", body)
    known = show(url)
    assert (known["file"], known["kind"], known["problem"]) == (url, "checkpoint", None)
    assert known["sha256"] == digest(body)
    assert Path(known["cached"]).read_bytes() == body
    demanded = f"{url}#sha256={digest(body)}"
    assert export(demanded, "model.zip") == Path("model.zip")
    data = {"systems": str(ethanol), "targets": {"energy": {"unit": "eV"}}}
    (far,), (near,) = evaluate(demanded, data), evaluate(trained / "model.ckpt", data)
    assert [row.rmse for row in far.report.rows] == [row.rmse for row in near.report.rows]


def test_a_program_is_not_run_from_an_address(web: Any, trained: Path) -> None:
    url = web.file("/model.pt", (trained / "model.pt").read_bytes())
    with pytest.raises(CheckpointError, match="is an exported model, a program, which is not run"):
        load_model(url)
    assert show(url)["kind"] == "exported model"


def test_a_fine_tuning_starts_from_an_address(
    web: Any, trained: Path, tiny: dict[str, Any], fit: Callable[..., RunFolder]
) -> None:
    body = (trained / "model.ckpt").read_bytes()
    url = web.file("/model.ckpt", body)
    tiny["architecture"]["training"] |= {"num_epochs": 1, "finetune": {"read_from": url}}
    far = fit(tiny)
    source = json.loads((far.path / "provenance.json").read_text())["source"]
    assert (source["path"], source["sha256"]) == (url, digest(body))
    tiny["architecture"]["training"]["finetune"]["read_from"] = str(trained / "model.ckpt")
    near = fit(tiny)
    history = [(one.path / "train.csv").read_text().splitlines()[2] for one in (far, near)]
    assert history[0].split(",")[:3] == history[1].split(",")[:3]
    web.status("/model.ckpt", 500)
    web.requests.clear()
    latest = far.path / "checkpoints" / "last.ckpt"
    tiny["architecture"]["training"]["finetune"]["read_from"] = url
    fit(tiny, latest)
    assert web.requests == [], "a restart has its weights"
    moved = web.file("/elsewhere/model.ckpt", body)
    tiny["architecture"]["training"]["finetune"]["read_from"] = moved
    fit(tiny, latest)  # another address of the same content
    tiny["architecture"]["training"]["finetune"]["read_from"] = web.file("/other.ckpt", body[:-9])
    with pytest.raises(CheckpointError, match=r"finetune\.read_from is "):
        fit(tiny, latest)


def test_a_download_that_fails_leaves_no_output(web: Any, trained: Path) -> None:
    body = (trained / "model.ckpt").read_bytes()
    url = web.breaking("/model.ckpt", body, 5000)
    for command in (import_model, export, show, load_model):
        with pytest.raises(CheckpointError, match="the connection broke after 5,000"):
            command(url)
    assert sorted(path.name for path in Path().rglob("*") if path.is_file()) == []


def test_a_damaged_file_at_an_address_is_refused(web: Any, trained: Path) -> None:
    url = web.file("/model.ckpt", (trained / "model.ckpt").read_bytes()[:5000])
    for command in (export, load_model, import_model):
        with pytest.raises(
            CheckpointError, match="is damaged: cut short after 5,000 bytes"
        ) as found:
            command(url)
        (problem,) = found.value.problems
        assert problem.where == url
        assert str(cache.folder()) in problem.hint
    with pytest.raises(CheckpointError, match="is not a checkpoint, but a text file"):
        import_model(web.file("/notes.txt", b"weights\n"))
    assert cache.folder().is_relative_to(Path.cwd())
