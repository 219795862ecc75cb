"""An architecture is imported when it is chosen; every fault of it is named."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mtt.data import DatasetInfo
from mtt.errors import ArchitectureError
from mtt.registry import find

AUTHORS = '__authors__ = __maintainers__ = [("A", "@a")]\n'


def load(path: Path):
    return find(path.name, [path]).load()


def test_an_external_folder_is_loaded_with_its_relative_imports(folder) -> None:
    path = folder()
    one = load(path)
    assert (one.name, one.folder, one.state) == ("idle", path, "external")
    assert one.model.__name__ == "Model"
    assert one.authors == one.maintainers == [("A. Author <a@example.org>", "@a")]
    assert one.default_hypers == {
        "name": "idle",
        "model": {},
        "training": {"learning_rate": 1e-4},
    }
    assert one.schema is None


def test_loaded_twice_it_is_the_same_class(folder) -> None:
    path = folder()
    assert load(path).model is load(path).model


def test_folders_of_one_name_in_two_places_do_not_mix(folder, tmp_path) -> None:
    one, two = folder(), folder(parent=tmp_path / "other")
    first, second = load(one).model, load(two).model
    assert first is not second
    assert load(one).model is first
    assert load(two).model is second


def test_nothing_is_added_to_the_search_path(folder) -> None:
    before = list(sys.path)
    load(folder("json"))
    assert sys.path == before
    assert sys.modules["json"] is json


def test_torchscript_compiles_its_model(folder) -> None:
    one = load(folder())
    model = one.model({}, DatasetInfo("angstrom", [1], {}))
    scripted = torch.jit.script(model)
    assert scripted([], {}) == {}


def test_a_fresh_process_gives_it_the_same_module_name(folder) -> None:
    path = folder("with-dash")
    program = (
        "import sys; from mtt.registry import find\n"
        "print(find('with-dash', [sys.argv[1]]).load().model.__module__)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True, text=True, check=True, env=os.environ,
    )  # fmt: skip
    assert run.stdout.strip() == load(path).model.__module__ == "mtt_external_with_dash.model"


def test_an_installed_one_is_loaded_under_its_own_name(folder, install, tmp_path) -> None:
    folder("arch", parent=tmp_path / "installed_three", **{
        "default-hypers": "name: theirs\nmodel:\ntraining:\n"})  # fmt: skip
    (tmp_path / "installed_three" / "__init__.py").write_text("")
    install("installed-three", {"theirs": "installed_three.arch"})
    one = find("theirs").load()
    assert one.model.__module__ == "installed_three.arch.model"
    assert one.default_hypers == {"name": "theirs", "model": {}, "training": {}}


def test_every_architecture_of_the_package_loads() -> None:
    from mtt.registry import discover

    for found in discover().values():
        if found.origin == "mtt":
            one = found.load()
            assert one.default_hypers["name"] == found.name
            assert found.summary


def test_a_deprecated_one_says_until_when(folder, tmp_path, monkeypatch) -> None:
    until = "until mtt 0.4; use soap_bpnn instead"
    text = Path(folder("plain") / "__init__.py").read_text()
    place = tmp_path / "deprecated"
    folder("old", parent=place, __init__=text + f"__deprecated__ = {until!r}\n")
    folder("older", parent=place)
    monkeypatch.setattr("mtt.registry.places._PACKAGE", tmp_path)
    import mtt

    monkeypatch.setattr(mtt, "__path__", [*mtt.__path__, str(tmp_path)])
    assert find("deprecated.old").load().deprecation == until
    with pytest.raises(ArchitectureError, match="__deprecated__ is missing"):
        find("deprecated.older").load()


@pytest.mark.parametrize(
    ("init", "messages"),
    [
        ("", ["__model__ is missing; it must be a subclass of mtt.ModelInterface",
              "__trainer__ is missing; it must be a subclass of mtt.TrainerInterface",
              "__authors__ is missing", "__maintainers__ is missing"]),
        (f"from .model import Model, Trainer\n__model__ = Model({{}}, None)\n"
         f"__trainer__ = Trainer\n{AUTHORS}",
         ["__model__ is <Model instance at .*>, not a subclass",
          "__trainer__ is <class .*Trainer'>, not a"]),
        ("from .trainer import Model, Trainer\n__model__ = Model\n__trainer__ = Trainer\n"
         "__authors__ = 'A. Author'\n__maintainers__ = [('A. Author',)]\n",
         ["__authors__ is 'A. Author'; it must be a list of pairs", r"__maintainers__ is \[\('A"]),
        ("import mtt\nclass Model(mtt.ModelInterface): ...\n"
         f"__model__ = Model\nfrom .trainer import Trainer as __trainer__\n{AUTHORS}",
         ["__model__, Model, does not implement export, forward, get_checkpoint"]),
        ("from .trainer import Model, Trainer\nfrom mtt import ModelInterface\n"
         "bare = {k: v for k, v in vars(Model).items() if k != '__supported_dtypes__'}\n"
         "__model__ = type(ModelInterface)('Bare', (ModelInterface,), bare)\n"
         f"__trainer__ = Trainer\n{AUTHORS}",
         ["__model__, Bare, lacks the class attribute __supported_dtypes__"]),
    ],
)  # fmt: skip
def test_pieces_that_are_missing_or_wrong_are_all_named(folder, init, messages) -> None:
    path = folder(__init__=init)
    with pytest.raises(ArchitectureError) as caught:
        load(path)
    problems = caught.value.problems
    assert len(problems) == len(messages)
    for problem, message in zip(problems, messages, strict=True):
        assert problem.where == str(path / "__init__.py")
        assert re.search(message, str(problem))


def test_a_missing_dependency_is_named_with_its_remedy(folder) -> None:
    path = folder(model="\nimport absent_package.part\n")
    message = (
        f"{path / 'model.py'}:2: the architecture 'idle' cannot be imported: it needs "
        "'absent_package'; pip install absent-package"
    )
    with pytest.raises(ArchitectureError, match=re.escape(message)):
        load(path)


def test_a_missing_dependency_of_a_package_comes_with_its_extra(folder, install, tmp_path) -> None:
    folder("arch", parent=tmp_path / "installed_four", model="import absent_package", **{
        "default-hypers": "name: theirs\nmodel:\ntraining:\n"})  # fmt: skip
    install(
        "installed-four",
        {"theirs": "installed_four.arch"},
        ("Absent.Package>=2; extra == 'fast'",),
    )
    with pytest.raises(ArchitectureError, match=r"pip install 'installed-four\[fast\]'"):
        find("theirs").load()


def test_a_module_of_the_folder_that_is_imported_absolutely_is_recognised(folder) -> None:
    path = folder("idle", __init__="from trainer import Trainer")
    with pytest.raises(ArchitectureError, match=r"no module 'trainer'.* write `from \.trainer imp"):
        load(path)


@pytest.mark.parametrize("module", [".modle", "mtt.modle"])
def test_no_command_is_suggested_for_a_module_that_cannot_be_installed(folder, module) -> None:
    path = folder(__init__=f"from {module} import Model")
    with pytest.raises(ArchitectureError, match=r"__init__\.py:1: .* no module '.*modle'$"):
        load(path)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("a = 1\ndef (:\n", r"model\.py:2: .*SyntaxError: invalid syntax"),
        ("a = 1\n1 / 0\n", r"model\.py:2: .*ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", r"model\.py:1: .*SystemExit: 3"),
        ("from mtt import absent", r"model\.py:1: .*ImportError: cannot import name 'absent'"),
    ],
)
def test_a_broken_file_is_reported_with_its_line_and_cause(folder, model, message) -> None:
    with pytest.raises(ArchitectureError, match=message):
        load(folder(model=model))


def test_a_mended_folder_can_be_loaded_in_the_same_process(folder) -> None:
    path = folder(trainer="raise RuntimeError('still broken')")
    with pytest.raises(ArchitectureError, match="still broken"):
        load(path)
    assert not [name for name in sys.modules if name.startswith("mtt_external_idle")]
    whole = folder("whole")
    (path / "trainer.py").write_text((whole / "trainer.py").read_text())
    assert load(path).trainer.__name__ == "Trainer"


def test_a_broken_neighbour_affects_no_other(folder) -> None:
    folder("broken", __init__="def (:")
    folder("breaks", __init__="raise SystemExit(3)", **{"default-hypers": "{"})
    assert load(folder()).name == "idle"
