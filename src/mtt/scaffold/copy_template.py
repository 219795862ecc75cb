"""The folder ``template`` is an architecture itself; a new one is a copy with another name."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

from mtt.disk import take_place, temporary_folder
from mtt.errors import ArchitectureError, Problem
from mtt.registry import Found, discover

FILES = {
    "__init__.py": "the classes of model and trainer; the maintainers",
    "model.py": "the physics: `atomic_energies` is the function to change",
    "trainer.py": "the platform's engine, with all options of training",
    "default-hypers.yaml": "the default of every option",
    "schema-hypers.json": "the allowed values of the options, and their meaning",
    "README.md": "description and use",
}
"""The files that are written, and their content."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
# names in the template that are replaced by those of the new architecture
_PLACEHOLDER, _PLACEHOLDER_CLASS = "my_architecture", "MyArchitecture"


def write_architecture(name: str, parent: Path) -> Path:
    """Write the architecture ``name`` into the folder ``parent``, which is made if need be.

    :returns: the new folder, ``parent / name``.
    :raises ArchitectureError: the name cannot be used or is taken, or the folder exists
        already or cannot be written; all problems at once.
    """
    folder = parent / name
    problems = [*_name_problems(name), *_folder_problems(folder)]
    if problems:
        raise ArchitectureError.collect(problems)
    texts = rendered(name)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # complete or absent: an incomplete folder would look like an architecture
        with temporary_folder(folder) as temporary:
            for file, text in texts.items():
                (temporary / file).write_text(text, encoding="utf-8")
            take_place(temporary, folder)
    except OSError as error:
        what = f"cannot be written ({error.strerror})"
        raise ArchitectureError(what, where=str(folder)) from error
    return folder


def rendered(name: str) -> dict[str, str]:
    """The text of every file, for an architecture called ``name``."""
    template = files("mtt.scaffold") / "template"
    texts = {file: (template / file).read_text(encoding="utf-8") for file in FILES}
    sources = [text for file, text in texts.items() if file.endswith(".py")]
    own = class_name(name, _imported(sources))
    return {
        file: text.replace(_PLACEHOLDER, name).replace(_PLACEHOLDER_CLASS, own)
        for file, text in texts.items()
    }


def class_name(name: str, taken: Iterable[str] = ()) -> str:
    """``pair_net`` to ``PairNet``; with ``Model`` behind it where that means something else."""
    camel = "".join(part.capitalize() for part in name.split("_"))
    return f"{camel}Model" if keyword.iskeyword(camel) or camel in set(taken) else camel


def _imported(sources: Iterable[str]) -> set[str]:
    return {
        node.asname or node.name
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.alias)
    }


def _name_problems(name: str) -> Iterator[Problem]:
    where = f"mtt new {name}"
    if not _NAME.fullmatch(name):
        what = "a name begins with a lower-case letter; lower-case letters, digits and _ follow"
        yield Problem(what, where, _suggestion(name))
        return
    if keyword.iskeyword(name):
        yield Problem(f"{name!r} is a keyword of Python", where, "choose another name")
    known: dict[str, Found] = discover()
    if name in known:
        what = f"there is an architecture {name!r} already, in {known[name].folder}"
        yield Problem(what, where, "choose another name")


def _suggestion(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    plain = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_").lstrip("0123456789_")
    return f"write {plain}" if plain else "choose another name"


def _folder_problems(folder: Path) -> Iterator[Problem]:
    if folder.exists() or folder.is_symlink():
        hint = "choose another name, or another folder to write it into"
        yield Problem("exists already", str(folder), hint)
    if folder.parent.exists() and not folder.parent.is_dir():
        yield Problem("is a file, not a folder to write into", str(folder.parent))
