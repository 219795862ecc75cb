"""Data that the benchmarks make themselves: made once, kept in a folder, found again."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from environments import Environments, versions
from running import Failed, run, shown

sys.path.append(str(Path(__file__).resolve().parent.parent))
import surroundings

INSIDE = Path(__file__).resolve().parent / "inside"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "data"
LIMIT = 3600.0  # seconds


class Missing(Exception):
    """A data file that is not there."""


@dataclass(frozen=True)
class Recipe:
    """A script of ``inside`` that writes files of extended xyz into the folder it is given.

    :param parts: modules of ``inside`` that the script imports.
    :param starts: files of the reference data that follow as arguments.
    :param packages: of its environment, which has the recipe's ``environment`` as its name;
        none: the environment of this process.
    :param words: further arguments.
    :param examples: files of ``examples/data`` that follow as arguments before ``starts``.
    """

    name: str
    script: str
    parts: tuple[str, ...] = ("langevin.py",)
    starts: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    environment: str = ""
    words: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()

    def digest(self) -> str:
        """Of everything that the files follow from: a changed recipe makes another folder."""
        found = hashlib.sha256("\n".join([self.name, *self.packages, *self.words]).encode())
        for name in (self.script, *self.parts):
            found.update((INSIDE / name).read_bytes())
        for path in self.paths():
            found.update(path.read_bytes())
        return found.hexdigest()[:8]

    def paths(self) -> list[Path]:
        """The files of ``examples`` and of ``starts``.

        :raises Missing: one is not here.
        """
        return [*(EXAMPLES / name for name in self.examples), *map(reference, self.starts)]


TBLITE = ("tblite==0.8.0", "ase==3.29.0")
ALLOY = Recipe("alloy", "make_alloy.py")
SILICON = Recipe("silicon-tersoff", "make_silicon.py", parts=("tersoff.py",))
RESPONSES = Recipe(
    "ethanol-responses", "make_responses.py", (), packages=TBLITE, environment="tblite",
    examples=("ethanol_dipoles.xyz",),
)  # fmt: skip
IONS = Recipe(
    "ions", "make_ions.py", (), ("qm9/qm9_reduced_100.xyz",), TBLITE, "tblite",
    examples=("ethanol_dipoles.xyz",),
)  # fmt: skip
STARTS = {
    "ethanol": (),
    "acetylacetone": ("acac/train_300K.xyz",),
    "3bpa": ("3bpa/train_300K.xyz",),
}
MOLECULES = {
    name: Recipe(
        name, "make_molecule.py", ("langevin.py", "molecular_scans.py"), starts, TBLITE, "tblite",
        (name,),
    )
    for name, starts in STARTS.items()
}  # fmt: skip


def reference(name: str) -> Path:
    """A file of the reference data.

    :raises Missing: it is not here.
    """
    path = surroundings.data_file(name)
    if path is None:
        raise Missing(f"{name} is neither in $MTT_DATA nor in ../shared/data")
    return path


def made(recipe: Recipe, home: Path, environments: Environments) -> Path:
    """The folder with the files of a recipe, below ``home``; they are made if need be.

    :raises Failed: the script could not make them.
    :raises Missing: a file it starts from is not here.
    """
    place = home / f"{recipe.name}-{recipe.digest()}"
    if (place / "made.json").is_file():
        return place
    work = place.with_name(f"{place.name}-unfinished")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    python = environments.python(recipe.environment, recipe.packages, torch=False)
    print(f"making {place}", flush=True)
    starts = [str(path) for path in recipe.paths()]
    command = [str(python), str(INSIDE / recipe.script), str(work), *recipe.words, *starts]
    done = run(command, work, 1, LIMIT)
    if not list(work.glob("*.xyz")):
        raise Failed(f"{recipe.script} has written no file")
    about = {
        "command": shown(command), "seconds": round(done.seconds), "versions": versions(python),
        "processor": surroundings.processor(),
    }  # fmt: skip
    (work / "made.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    work.rename(place)
    return place
