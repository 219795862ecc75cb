"""Folders written for metatrain get the lines to write instead."""

import ast
import importlib
import sys

import pytest

from mtt.errors import ArchitectureError
from mtt.registry import find
from mtt.registry.metatrain import _table, foreign_imports

MODEL = """
import torch
from metatrain.utils.abc import ModelInterface
from metatrain.utils.data import DatasetInfo, TargetInfo
from metatrain.utils.additive import ZBL, CompositionModel
"""
TRAINER = """
from metatrain.utils import logging
import metatrain.utils.distributed.slurm
from metatrain.other.thing import Something
from .model import Model
"""


def test_every_import_of_metatrain_is_named_with_the_line_to_write(folder) -> None:
    path = folder(model=MODEL, trainer=TRAINER)
    with pytest.raises(ArchitectureError) as caught:
        find("idle", [path]).load()
    found = [str(problem) for problem in caught.value.problems]
    model, trainer = path / "model.py", path / "trainer.py"
    assert found == [
        f"{model}:3: the architecture 'idle' cannot be imported: it is written for metatrain; "
        "write what mtt has instead:",
        f"{model}:3: imports ModelInterface from metatrain.utils.abc, which mtt does not have; "
        "write `from mtt.interface import ModelInterface`",
        f"{model}:4: imports DatasetInfo, TargetInfo from metatrain.utils.data, which mtt does not "
        "have; write `from mtt import DatasetInfo`; write `from mtt import TargetInfo`",
        f"{model}:5: imports ZBL, CompositionModel from metatrain.utils.additive, which mtt does "
        "not have; leave it out: mtt.MLIPModel has the composition baseline, and ZBL where its "
        "option asks for it",
        f"{trainer}:2: imports logging from metatrain.utils, which mtt does not have; write "
        "`import logging`, and logging.getLogger(__name__)",
        f"{trainer}:3: imports metatrain.utils.distributed.slurm, which mtt does not have; "
        "leave it out: mtt.MLIPTrainer trains on several devices",
        f"{trainer}:4: imports Something from metatrain.other.thing, which mtt does not have; "
        "copy what you need of it into the folder; see the page Writing an architecture",
    ]
    assert "pip install" not in "".join(found)


def test_an_installed_metatrain_does_not_make_it_an_architecture(
    folder, tmp_path, monkeypatch
) -> None:
    package = tmp_path / "site" / "metatrain" / "utils"
    package.mkdir(parents=True)
    for place in (package.parent, package):
        (place / "__init__.py").write_text("")
    (package / "abc.py").write_text("class ModelInterface: ...\nclass TrainerInterface: ...\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    model = "from metatrain.utils.abc import ModelInterface\nclass Model(ModelInterface): ...\n"
    with pytest.raises(ArchitectureError, match=r"not a subclass of mtt\.Mod") as caught:
        find("idle", [folder(model=model)]).load()
    assert "write `from mtt.interface import ModelInterface`" in str(caught.value)
    for name in [name for name in sys.modules if name.partition(".")[0] == "metatrain"]:
        del sys.modules[name]


def test_a_folder_of_ours_imports_nothing_of_it(folder) -> None:
    assert foreign_imports(folder()) == []


def test_defaults_that_are_in_documentation_py_go_into_default_hypers(folder) -> None:
    path = folder(**{"default-hypers": None, "documentation": "class ModelHypers: ...\n"})
    message = "lacks default-hypers.yaml; the defaults of documentation.py go into default-hypers"
    with pytest.raises(ArchitectureError, match=message):
        find("idle", [path.parent])


LINES = sorted(
    {
        line.partition(", and ")[0]
        for names in _table().values()
        for line in names.values()
        if line.startswith(("from ", "import "))
    }
)


@pytest.mark.parametrize("line", LINES)
def test_the_lines_to_write_can_be_imported(line) -> None:
    (node,) = ast.parse(line).body
    if isinstance(node, ast.ImportFrom):
        module = importlib.import_module(str(node.module))
        assert all(hasattr(module, alias.name) for alias in node.names)
