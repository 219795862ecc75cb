"""Checkpoints of metatrain's PET, imported, beside what metatrain predicts with them.

    python benchmarks/accuracy/imported.py --out results

Every file of metatrain-pet in the reference data is imported and evaluated in float64 on the
structures of predictions.json there, whose energies, forces and stresses are metatrain's. With
--tune FILE … these are fine-tuned on the first frames of ethanol/train.xyz with each method,
exported, and evaluated by mtt eval and through ASE in another process.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
import score
import torch
import yaml
from measure import INSIDE, PREDICTION_LIMIT
from running import Finished, run
from systems import Missing
from systems import surroundings as here

from mtt import load_model
from mtt.testing import predictions
from mtt.workflows.import_model import import_model

FOLDER = "metatrain-pet"
METHODS = ("full", "heads", "lora")
FRAMES, EPOCHS, LIMIT = 50, 5, 3600.0
SHORT = {"LayerNorm": "Layer", "RMSNorm": "RMS"}


@dataclass(frozen=True)
class Row:
    """A file, and how far its predictions are from metatrain's: largest absolute differences.

    :param form: what kind of network it is.
    :param elements: that it knows.
    :param energy: eV.
    :param forces: eV/Å.
    :param stress: eV/Å³; None without a periodic structure.
    """

    name: str
    version: str
    form: str
    elements: int
    structures: int
    energy: float
    forces: float
    stress: float | None

    def line(self) -> str:
        """Of the table."""
        stress = "–" if self.stress is None else f"{self.stress:.0e}"
        cells = [self.name, self.version, self.form, self.elements, self.structures]
        return (
            f"| {' | '.join(map(str, cells))} | {self.energy:.0e} | {self.forces:.0e} | {stress} |"
        )


HEAD = (
    "| file | version | form | elements | structures "
    "| energy, eV | forces, eV/Å | stress, eV/Å³ |\n"
    "|---|---|---|---|---|---|---|---|"
)


def compared(path: Path, known: list[dict[str, Any]], scratch: Path) -> Row:
    """Import a file and predict the structures ``known``, with their predictions by metatrain."""
    done = import_model(path, scratch / path.name)
    model = load_model(done.path).to(torch.float64).eval()
    frames = [
        ase.Atoms(one["numbers"], one["positions"], cell=one.get("cell"), pbc="cell" in one)
        for one in known
    ]
    found = [structure["energy"] for structure in predictions(model, frames)]
    energies = [abs(float(a.values) - b["energy"]) for a, b in zip(found, known, strict=True)]
    forces = [_largest(a.forces, b["forces"]) for a, b in zip(found, known, strict=True)]
    stresses = [
        _largest(a.strain / atoms.get_volume(), b["stress"])
        for a, b, atoms in zip(found, known, frames, strict=True)
        if "stress" in b
    ]
    kind = torch.load(done.path, weights_only=True)["provenance"]["imported"]["kind"]
    return Row(
        path.stem,
        kind.rpartition(" ")[2],
        form(model.hypers),
        len(model.dataset_info.atomic_types),
        len(known),
        max(energies),
        max(forces),
        max(stresses, default=None),
    )


def form(hypers: dict[str, Any]) -> str:
    """What the options make of the network."""
    words = [
        hypers["transformer_type"],
        SHORT[hypers["normalization"]],
        hypers["activation"],
        hypers["featurizer_type"],
        f"{hypers['cutoff_function'].lower()} cutoff",
    ]
    if hypers["num_neighbors_adaptive"]:
        words.append(f"adaptive by {hypers['adaptive_cutoff_method']}")
    words += ["charge and spin"] * hypers["system_conditioning"] + ["ZBL"] * hypers["zbl"]
    return ", ".join(words)


def stored(folder: Path) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    """Every file, and the structures that metatrain has predicted with it."""
    known = json.loads((folder / "predictions.json").read_text(encoding="utf-8"))
    for path in sorted(folder.glob("*.ckpt")):
        if path.name in known["trained"]:
            yield path, known["trained"][path.name]["structures"]
            continue
        one = known["stored"][path.name]
        same = {"numbers": one["types"], "positions": one["positions"]}
        crystal = {**same, **one["crystal"], "cell": one["cell"]}
        yield path, [{**same, **one["molecule"]}, crystal]


def tuned(path: Path, method: str, scratch: Path, threads: int) -> str:
    """Fine-tune a file, export it, and run it through ASE: a line of the second table."""
    home = scratch / f"{path.stem}-{method}"
    home.mkdir()
    done = import_model(path, home / "source.ckpt")
    frames = ase.io.read(here.data_file("ethanol/train.xyz"), f":{FRAMES}")
    ase.io.write(home / "frames.xyz", frames, format="extxyz")
    target = {"key": "energy", "unit": "eV", "forces": {"key": "forces"}, "stress": False}
    systems = {"read_from": "frames.xyz", "length_unit": "angstrom"}
    tuning = {"read_from": "source.ckpt", "method": method}
    training = {"num_epochs": EPOCHS, "batch_size": 5, "learning_rate": 1e-3, "finetune": tuning}
    options = {
        "seed": 1,
        "architecture": {"name": "pet", "model": done.hypers, "training": training},
        "training_set": {"systems": systems, "targets": {"energy": target}},
        "validation_set": 0.2,
        "test_set": 0.0,
    }
    (home / "options.yaml").write_text(yaml.safe_dump(options), encoding="utf-8")
    (home / "eval.yaml").write_text(yaml.safe_dump(options["training_set"]), encoding="utf-8")
    mtt = [sys.executable, "-m", "mtt"]

    def command(*words: str) -> Finished:
        return run([*mtt, *words], home, threads, LIMIT)

    command("train", "options.yaml")
    command("export", "model.ckpt", "-o", "again.pt")
    command("eval", "again.pt", "eval.yaml")
    predict = [sys.executable, str(INSIDE / "predict.py"), "metatomic", "again.pt"]
    run([*predict, "frames.xyz", "ase.npz"], home, threads, PREDICTION_LIMIT)
    (history,) = home.glob("outputs/*/*/history.jsonl")
    epochs = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
    errors = [row["validation forces RMSE"] for row in epochs if "validation loss" in row]
    ours, theirs = score.read_labels(home / "output.xyz"), score.read_predictions(home / "ase.npz")
    apart = np.abs(ours.energies - theirs.energies).max(), np.abs(ours.forces - theirs.forces).max()
    shown = " | ".join(f"{one:.1f}" for one in (errors[0], errors[-1]))
    return f"| {path.stem} | {method} | {shown} | {apart[0]:.0e} | {apart[1]:.0e} |"


TUNED = (
    "| file | method | F RMSE after the first epoch, meV/Å | after the last "
    "| `mtt eval` − ASE: energy, eV | forces, eV/Å |\n|---|---|---|---|---|---|"
)


def _largest(one: torch.Tensor, other: Any) -> float:
    return float((one - torch.tensor(other, dtype=torch.float64)).abs().max())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of the table")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tune", nargs="*", default=[], metavar="FILE", help="without .ckpt")
    given = parser.parse_args()
    predicted = here.data_file(f"{FOLDER}/predictions.json")
    if predicted is None:
        raise SystemExit(str(Missing(f"{FOLDER} is neither in $MTT_DATA nor in ../shared/data")))
    torch.set_num_threads(given.threads)
    lines = ["# Imported checkpoints of PET", "", HEAD]
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        for path, known in stored(predicted.parent):
            lines.append(compared(path, known, scratch).line())
            print(lines[-1], flush=True)
        lines += ["", TUNED] if given.tune else []
        for name in given.tune:
            for method in METHODS:
                lines.append(
                    tuned(predicted.parent / f"{name}.ckpt", method, scratch, given.threads)
                )
                print(lines[-1], flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "imported.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
