"""This package's own models: an options file each, trained with ``mtt train``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from peers.metatrain import section
from peers.program import Job, Program
from running import Finished

FOLDER = Path(__file__).resolve().parent / "options"
COMPILED = "-compiled"  # end of the name of options with ``compile: true``


class Ours(Program):
    """Options as in ``options/<name>.yaml``: ``base_precision`` and the architecture."""

    epoch = r"^epoch +\d+/\d+ "
    calculator = "metatomic"

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        super().__init__(f"mtt-{name}")
        self.options = options

    def write(self, job: Job, python: Path) -> tuple[list[str], str]:
        options = deepcopy(self.options)
        if self.paced:
            training = options["architecture"].setdefault("training", {})
            training["num_epochs"] = job.n_epochs
        options |= {
            "seed": job.seed,
            "training_set": section(job.data, job.data.train),
            "validation_set": section(job.data, job.data.validation),
            "test_set": 0.0,
        }
        text = yaml.safe_dump(options, sort_keys=False)
        (job.folder / "options.yaml").write_text(text, encoding="utf-8")
        return [str(python), "-m", "mtt", "train", "options.yaml"], text

    def trained(self, job: Job) -> Path:
        return job.folder / "model.pt"

    def curve(self, job: Job, finished: Finished) -> list[list[float]]:
        names = ("validation energy RMSE", "validation forces RMSE")
        points = zip(finished.arrivals, _epochs(job), strict=True)
        return [[seconds, *(epoch[name] for name in names)] for seconds, epoch in points]

    def history(self, job: Job) -> dict[str, Any]:
        """Errors of the last epoch and of that with the smallest validation loss."""
        epochs = [row for row in _epochs(job) if "validation loss" in row]
        best = min(epochs, key=lambda row: row["validation loss"])
        return {"best epoch": rmses(best), "last epoch": rmses(epochs[-1])}


class Solved(Ours):
    """One that is solved by least squares: it has no epochs."""

    paced = False


def rmses(row: dict[str, Any]) -> dict[str, float]:
    """The errors and the number of a line of the history."""
    return {name: row[name] for name in row if name == "epoch" or name.endswith("RMSE")}


def _epochs(job: Job) -> list[dict[str, Any]]:
    (history,) = job.folder.glob("outputs/*/*/history.jsonl")
    return [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]


def models() -> tuple[Ours, ...]:
    """One for each options file."""
    return (*(Ours(name, options) for name, options in _files(FOLDER)), *solved())


def solved() -> tuple[Ours, ...]:
    """Those without epochs."""
    return tuple(Solved(name, options) for name, options in _files(FOLDER / "solved"))


def uncompiled() -> tuple[Ours, ...]:
    """The same, but trained uncompiled; those that then are alike, once."""
    found = {}
    for name, options in _files(FOLDER):
        options["architecture"].get("training", {}).pop("compile", None)
        found[name.removesuffix(COMPILED)] = options
    return (*(Ours(name, options) for name, options in found.items()), *solved())


def _files(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and content of the options files."""
    for path in sorted(folder.glob("*.yaml")):
        yield path.stem, yaml.safe_load(path.read_text(encoding="utf-8"))
