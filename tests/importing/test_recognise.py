"""Files that are not imported are named by what they look like, and nothing in them runs."""

from __future__ import annotations

import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mtt import evaluate, export
from mtt.checkpoint import read
from mtt.errors import CheckpointError, MttError
from mtt.importing import read_foreign
from mtt.workflows.import_model import import_model
from mtt.workflows.show import show

STORED = Path(__file__).parents[1] / "resources" / "checkpoints"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Payload:
    """Makes a file where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch it-ran",)


class Hidden:
    """The same, by a call that torch's own objects are rebuilt with."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return torch.storage._load_from_bytes, (pickle.dumps(Payload()),)


def saved(of: str, **more: Any) -> Path:
    """A torch file with an object of a class of that full name."""
    module, _, name = of.rpartition(".")
    parts = module.split(".")
    with pytest.MonkeyPatch.context() as patch:
        for i in range(len(parts)):
            patch.setitem(sys.modules, ".".join(parts[: i + 1]), ModuleType(parts[i]))
        kind = type(name, (), {"__module__": module})
        setattr(sys.modules[module], name, kind)
        torch.save({"model": kind(), **more}, "model.model")
    return Path("model.model")


def plain(value: Any) -> Path:
    torch.save(value, "model.model")
    return Path("model.model")


def zipped(*names: str) -> Path:
    with zipfile.ZipFile("model.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, "x" * 1000)
    return Path("model.zip")


def text() -> Path:
    Path("model.txt").write_text("weights\n")
    return Path("model.txt")


def truncated() -> Path:
    whole = next(iter(sorted(STORED.glob("pet-model-*.ckpt"))))
    Path("cut.ckpt").write_bytes(whole.read_bytes()[:5000])
    return Path("cut.ckpt")


def truncated_behind_an_archive() -> Path:
    inner = zipped("keys.npy", "blocks/0/values.npy").read_bytes()
    Path("model.zip").unlink()
    stored = torch.frombuffer(bytearray(inner), dtype=torch.uint8)
    torch.save({"table": stored, "weights": torch.ones(50_000)}, "cut.ckpt")
    content = Path("cut.ckpt").read_bytes()
    end = content.index(inner) + len(inner) + 100
    Path("cut.ckpt").write_bytes(content[:end])
    return Path("cut.ckpt")


def of_mtt() -> Path:
    return next(iter(sorted(STORED.glob("pet-model-*.ckpt"))))


def archive_of_mtt() -> Path:
    return next(iter(sorted(STORED.glob("pet-archive-*.zip"))))


def scripted() -> Path:
    torch.jit.script(torch.nn.Linear(2, 2)).save("model.pt")
    return Path("model.pt")


FILES: dict[str, tuple[Callable[[], Path], str]] = {
    "MACE": (lambda: saved("mace.modules.models.MACE"), "is a file of MACE, whose objects are"),
    "NequIP": (lambda: saved("nequip.nn.graph.Graph"), "is a file of NequIP, whose objects are"),
    "Lightning": (
        lambda: plain({"state_dict": {}, "pytorch-lightning_version": "2.5"}),
        "is a checkpoint of PyTorch Lightning; .*'pet'; see 'Import a model of another program' in",
    ),
    "NequIP's Lightning": (
        lambda: plain({"pytorch-lightning_version": "2.5", "target": "nequip.model.Model"}),
        "is a checkpoint of NequIP; ",
    ),
    "SevenNet": (
        lambda: plain(
            {
                "model_state_dict": {"w": torch.ones(2)},
                "config": {"_model_type": "E3_equivariant_model", "chemical_species": ["H"]},
            }
        ),
        "is a checkpoint of SevenNet; ",
    ),
    "SevenNet with arrays": (
        lambda: plain(
            {
                "model_state_dict": {"w": torch.ones(2)},
                "config": {
                    "_model_type": "E3_equivariant_model",
                    "chemical_species": ["H"],
                    "shift": np.ones(2),
                },
            }
        ),
        "is a checkpoint of SevenNet; ",
    ),
    "more": (
        lambda: saved("mace.modules.models.MACE", more=Payload()),
        r"is a file of MACE, whose objects are not loaded; it holds posix\.system too",
    ),
    "unknown": (lambda: saved("unheard.of.Model"), r"Python objects \(unheard\.of\.Model\), whi"),
    "weights": (lambda: plain({"weight": torch.ones(2)}), "is a torch file, but not a model that"),
    "a list": (lambda: plain([1, 2]), "is a torch file, but not a model that mtt knows"),
    "zip": (
        lambda: zipped("a", "b"),
        "is a zip archive of 2 files, not a model; mtt imports models of the architecture 'pet'",
    ),
    "compiled": (lambda: zipped("m/data/aotinductor/x.so"), "compiled for one machine"),
    "package": (lambda: zipped("m/.data/extern_modules"), "is a torch.package, which .*; import"),
    "NequIP's package": (
        lambda: zipped("m/.data/extern_modules", "m/nequip/nn/_graph.py"),
        "is a torch.package of NequIP, which holds .*; see 'Import a model of",
    ),
    "NequIP's program": (
        lambda: zipped("m/constants.pkl", "m/code/__torch__/nequip/nn.py"),
        "is a TorchScript program of NequIP, which .*; see 'Import a model of",
    ),
    "text": (text, "is not a checkpoint, but a text file"),
    "truncated": (truncated, "is damaged: cut short after 5,000 bytes"),
    "truncated behind an archive": (truncated_behind_an_archive, "is damaged: cut short after "),
    "mtt": (of_mtt, "is a checkpoint of mtt already, of the architecture 'pet'; use it as it is"),
    "archive": (archive_of_mtt, "is a light archive of mtt.*; use it as it is"),
    "scripted": (scripted, "is a TorchScript program, .*; import the checkpoint that it was made"),
    "exported": (
        lambda: zipped("m/constants.pkl", "m/extra/model-metadata"),
        "is an exported model, a program .*; import the checkpoint",
    ),
    "missing": (lambda: Path("theirs.ckpt"), "theirs.ckpt: no such file"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_imported_is_named_by_what_it_is(name: str) -> None:
    make, message = FILES[name]
    path = make()
    before = sorted(os.listdir())
    with pytest.raises(CheckpointError, match=message) as error:
        import_model(path, "new.ckpt")
    assert len(error.value.problems) == 1
    assert sorted(os.listdir()) == before, "nothing half made"


def importing(path: Path) -> None:
    import_model(path, "new.ckpt")


def evaluating(path: Path) -> None:
    evaluate(path, {"systems": "nowhere.xyz"})


COMMANDS: dict[str, Callable[[Path], Any]] = {
    "importing": importing,
    "showing": show,
    "exporting": lambda path: export(path, "new.pt"),
    "evaluating": evaluating,
}


@pytest.mark.parametrize("command", ["showing", "exporting", "evaluating"])
@pytest.mark.parametrize("name", ["MACE", "NequIP's Lightning", "SevenNet", "NequIP's package"])
def test_every_command_names_the_program_of_a_model(name: str, command: str) -> None:
    make, message = FILES[name]
    path = make()
    with pytest.raises(CheckpointError, match=message):
        COMMANDS[command](path)
    assert sorted(os.listdir()) == [path.name]


def test_other_files_are_not_taken_for_models_of_a_program() -> None:
    for make, message in (
        (lambda: plain({"weight": torch.ones(2)}), "but not a checkpoint of a model: it lacks mo"),
        (lambda: zipped("a", "b"), "compressed"),
    ):
        path = make()
        with pytest.raises(CheckpointError, match=message):
            export(path, "new.pt")


@pytest.mark.parametrize("payload", [Payload(), Hidden("x")], ids=["a call", "a nested pickle"])
@pytest.mark.parametrize(
    ("command", "place"),
    [
        *(("importing", place) for place in ("anywhere", "a weight", "a description")),
        *((command, "anywhere") for command in COMMANDS if command != "importing"),
    ],
)
def test_a_program_in_a_file_never_runs(
    payload: Any, command: str, place: str, metatrain_format: SimpleNamespace
) -> None:
    content = metatrain_format.content(metatrain_format.model())
    if place == "anywhere":
        content["more"] = payload
    elif place == "a weight":
        content["best_model_state_dict"]["backend.edge_embedder.weight"] = payload
    else:
        vars(content["model_data"]["dataset_info"])["length_unit"] = payload
    path = metatrain_format.write(Path("theirs.ckpt"), content)
    with pytest.raises(MttError, match="not loaded"):
        COMMANDS[command](path)
    assert sorted(os.listdir()) == ["theirs.ckpt"], "nothing ran, nothing was written"


def test_the_payload_of_these_tests_is_real() -> None:
    torch.save(Payload(), "x.ckpt")
    with zipfile.ZipFile("x.ckpt") as archive:
        (name,) = [one for one in archive.namelist() if one.endswith("data.pkl")]
        assert b"touch it-ran" in archive.read(name)


def test_objects_of_known_classes_are_mappings_and_no_module_of_theirs_is_imported(
    metatrain_format: SimpleNamespace,
) -> None:
    path = metatrain_format.write(
        Path("theirs.ckpt"), metatrain_format.content(metatrain_format.model())
    )
    found, architecture = read_foreign(path)
    assert (architecture.name, found.program) == ("pet", "metatrain")
    assert not [name for name in sys.modules if name.partition(".")[0] == "metatrain"]


def test_one_model_of_metatrain_is_named_where_another_is_imported(
    metatrain_format: SimpleNamespace,
) -> None:
    content = metatrain_format.content(metatrain_format.model())
    path = metatrain_format.write(
        Path("theirs.ckpt"), {**content, "architecture_name": "soap_bpnn"}
    )
    with pytest.raises(CheckpointError, match="checkpoint of metatrain, of its model 'soap_bpnn'"):
        read_foreign(path)


def test_the_source_is_never_overwritten(metatrain_format: SimpleNamespace) -> None:
    path = metatrain_format.write(
        Path("theirs.ckpt"), metatrain_format.content(metatrain_format.model())
    )
    before = path.read_bytes()
    with pytest.raises(MttError, match="the checkpoint would replace theirs"):
        import_model(path, path)
    with pytest.raises(MttError, match="what is imported is a checkpoint; name it new"):
        import_model(path, "new.pt")
    with pytest.raises(MttError, match="nowhere"):
        import_model(path, "nowhere/new.ckpt")
    assert path.read_bytes() == before
    assert import_model(path).path == Path("theirs-imported.ckpt")
    assert read("theirs-imported.ckpt")["architecture_name"] == "pet"
