"""Do several ranks learn what one learns, whatever technique they use?

    python benchmarks/ranks_exact.py [--ranks 2 4] [--only NAME ...] [--pairs]

Tiny models are trained in float64 on one rank and on several, each a process with one thread that
trains all of them. Printed is a table in Markdown: the largest difference of a weight, a buffer or
a baseline of the final model from that of one rank, in parts of the largest number of its tensor.

``--pairs`` trains with all pairs of the techniques that are options of a training, on the largest
number of ranks alone, which takes an hour.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import torch
from ranks import SMALL, in_ranks
from setting import machine

import mtt
import mtt.training.batch_size.auto
import mtt.workflows
from mtt.checkpoint import read
from mtt.data.memory import free_memory
from mtt.errors import MttError
from mtt.options.yaml.overrides import deep_merge

DATA = Path(__file__).resolve().parent.parent / "examples" / "data" / "ethanol.xyz"
FRAMES, MORE, ATOMS = 26, 120, 9
SCARCE = 910_000
ONLY_IN = (3, 4, 11)  # frames of gappy.xyz that have the second energy


class Case(NamedTuple):
    """A training.

    :param training: options of it, beside the number and the size of batches.
    :param rest: other options, laid over those of :func:`options`.
    :param architecture: name.
    :param memory: bytes that the last one of several ranks believes to have; None: what it has.
    """

    training: Mapping[str, Any]
    rest: Mapping[str, Any] = {}
    architecture: str = "density_messages"
    memory: int | None = None


ADAM = {"optimizer": "adam"}
TWO = {
    "targets": {
        "energy": {"forces": True},
        "energy/second": {"key": "second", "quantity": "energy", "unit": "eV", "forces": False},
    }
}
TWO["targets"]["energy/second"]["stress"] = False
GAPPY = {"training_set": {"systems": {"read_from": "gappy.xyz"}, **TWO}}
FINETUNE = {"read_from": "source.ckpt"}
HEIR = {"energy/new": {"key": "energy", "quantity": "energy", "unit": "eV", "stress": False}}

CASES = {
    "the default options: `soap`, averaged weights, clipping": Case({}),
    "`optimizer: soap` for 60 steps": Case({"num_epochs": 15, "ema": False}),
    "`optimizer: adam`, a sum of terms": Case(ADAM),
    "`gradient_combination: config`": Case({**ADAM, "gradient_combination": "config"}),
    "`grad_clip_norm`": Case({**ADAM, "grad_clip_norm": 0.01}),
    "`ema`": Case({**ADAM, "ema": {"decay": 0.9}}),
    "`schedulefree_adamw`": Case({"optimizer": "schedulefree_adamw", "ema": False}),
    "`muon`": Case({"optimizer": "muon"}),
    "`lbfgs`": Case({"optimizer": "lbfgs", "grad_clip_norm": None, "ema": False}),
    "`prefit`": Case({**ADAM, "prefit": {"parameters": ["heads.*"], "max_steps": 3}}),
    "`refit_baseline`": Case({**ADAM, "refit_baseline": True}),
    # up to 43 atoms, for 20 steps an epoch; the last rank has memory for some more than 30 of them,
    # and so each has memory for its share
    "`batch_atoms: auto`, one rank with less memory": Case(
        {**ADAM, "batch_atoms": "auto"},
        {"training_set": {"systems": {"read_from": "more.xyz"}}},
        memory=SCARCE,
    ),
    "`max_atoms_per_batch`": Case({**ADAM, "max_atoms_per_batch": 40}),
    "`gradient_accumulation`": Case({**ADAM, "gradient_accumulation": 3}),
    "`augmentation: o3`": Case({**ADAM, "augmentation": "o3"}),
    "`scheduler: plateau`": Case({**ADAM, "scheduler": "plateau"}),
    "`on_nonfinite: rollback`": Case({**ADAM, "on_nonfinite": "rollback"}),
    "one structure in a batch: ranks without any": Case({**ADAM, "batch_size": 1}),
    "missing labels: gradients that one rank has": Case(ADAM, GAPPY),
    "missing labels, `config`": Case({**ADAM, "gradient_combination": "config"}, GAPPY),
    "missing labels, `soap`": Case({}, GAPPY),
    "fine-tuning: `full`": Case({**ADAM, "finetune": {**FINETUNE, "method": "full"}}),
    "fine-tuning: `lora`": Case(
        {**ADAM, "finetune": {**FINETUNE, "method": "lora", "config": {"rank": 2}}}
    ),
    "fine-tuning: `heads`, the head of the source has no labels": Case(
        {
            **ADAM,
            "finetune": {**FINETUNE, "method": "heads", "inherit_heads": {"energy/new": "energy"}},
        },
        {"training_set": {"targets": {"energy": None, **HEIR}}},
    ),
    "fine-tuning: `replay`, two heads, `anchor`": Case(
        {
            **ADAM,
            "finetune": {
                **FINETUNE,
                "method": "replay",
                "anchor": 0.01,
                "replay": {"data": "ethanol.xyz", "number": 9},
            },
        }
    ),
    "`compile: true`": Case({**ADAM, "compile": True}),
}
ALONE = ("finetune", "prefit", "compile", "refit_baseline", "batch_atoms")
"""Options of cases that take long, or have a clock."""


def options(case: Case) -> dict[str, Any]:
    """Of a training of the first frames."""
    training = {"batch_size": 5, "num_epochs": 2, "compile": False, "refit_baseline": False}
    whole = {
        "seed": 1,
        "base_precision": 64,
        "device": "cpu",
        "final_eval": False,
        "architecture": {
            "name": case.architecture,
            "model": SMALL,
            "training": {**training, **case.training},
        },
        "training_set": {
            "systems": {"read_from": "ethanol.xyz", "length_unit": "angstrom"},
            "targets": {"energy": {"unit": "eV", "forces": True, "stress": False}},
        },
        "validation_set": 0.2,
        "test_set": 0.0,
    }
    merged = deep_merge(whole, case.rest)
    targets = merged["training_set"]["targets"]
    merged["training_set"]["targets"] = {k: v for k, v in targets.items() if v is not None}
    return merged


def write_data(folder: Path) -> None:
    """``ethanol.xyz``, more of it, and ``gappy.xyz`` with a second energy that few frames have."""
    whole = DATA.read_text().splitlines()[: MORE * (ATOMS + 2)]
    (folder / "more.xyz").write_text("\n".join(whole) + "\n")
    lines = whole[: FRAMES * (ATOMS + 2)]
    (folder / "ethanol.xyz").write_text("\n".join(lines) + "\n")
    for i, first in enumerate(range(0, len(lines), ATOMS + 2)):
        second = f"{-0.3 * i}" if i in ONLY_IN else "nan"
        lines[first + 1] += f" second={second}"
    (folder / "gappy.xyz").write_text("\n".join(lines) + "\n")


def train_only(given: dict[str, Any]) -> None:
    """Without the export, which the first rank does alone, and which takes most of the time."""
    # the module, which a function of the same name hides
    vars(sys.modules["mtt.workflows.train"])["export_and_evaluate"] = lambda *_: {}
    mtt.train(given)


def believe(n_bytes: int | None) -> None:
    """Let ``batch_atoms: auto`` find so much free memory in this process; None: what is free."""
    room = vars(sys.modules["mtt.training.batch_size.auto"])
    room["free_memory"] = free_memory if n_bytes is None else lambda _: n_bytes


def checkpoint_in(place: Path) -> Path:
    """Of the only training in a folder."""
    (found,) = place.glob("outputs/*/*/model.ckpt")
    return found


def numbers(place: Path) -> dict[str, torch.Tensor]:
    """Weights, buffers and baselines of the model that was trained in a folder."""
    found = read(checkpoint_in(place))["model_state_dict"]
    return {key: value for key, value in found.items() if value.is_floating_point()}


def train_all(cases: Mapping[str, Case], n: int, folder: Path) -> None:
    """Train all cases on ``n`` ranks, case i in ``folder / "n" / "i"``, and say how each ends."""
    ports = free_ports(len(cases))
    for i in range(len(cases)):
        place = folder / str(n) / str(i)
        place.mkdir(parents=True)
        for file in folder.glob("*.*"):
            (place / file.name).symlink_to(file)

    def work(rank: int) -> None:
        for i, (title, case) in enumerate(cases.items()):
            os.chdir(folder / str(n) / str(i))
            os.environ["MASTER_PORT"] = str(ports[i])
            believe(case.memory if 0 < rank == n - 1 else None)
            try:
                train_only(options(case))
            except (MttError, SystemExit) as error:
                print(f"{n} ranks, rank {rank}, {title}: {error}", file=sys.stderr, flush=True)
                continue
            if rank == 0 and n > 1:
                found = compared(folder, i, n)
                print(f"{n} ranks, {title}: {found}", file=sys.stderr, flush=True)

    in_ranks(n, work)


def free_ports(n: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("localhost", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def compared(folder: Path, i: int, n: int) -> str:
    """How far the case i on ``n`` ranks is from that on one."""
    try:
        return f"{difference(*(numbers(folder / str(size) / str(i)) for size in (1, n))):.0e}"
    except ValueError:
        return "failed"


def difference(one: Mapping[str, torch.Tensor], several: Mapping[str, torch.Tensor]) -> float:
    """The largest, in parts of the largest number of its tensor; NaN where numbers are lost."""
    if one.keys() != several.keys():
        return float("nan")
    parts = [
        float((several[key] - value).abs().max() / value.abs().max().clamp(min=1e-30))
        for key, value in one.items()
        if value.numel()
    ]
    return max(parts, key=lambda part: (part != part, part))


def pairs() -> Iterator[tuple[str, Case]]:
    """The cases two by two, where their options do not contradict each other."""
    every = [
        (title, case)
        for title, case in CASES.items()
        if case.training and not case.rest and not case.training.keys() & set(ALONE)
    ]
    for first, second in itertools.combinations(every, 2):
        one, other = first[1].training, second[1].training
        clash = any(one[key] != other[key] for key in one.keys() & other.keys())
        if not clash and not {"batch_size", "max_atoms_per_batch"} <= {*one, *other}:
            yield f"{first[0]} + {second[0]}", Case({**one, **other})


def table(cases: Mapping[str, Case], sizes: Sequence[int]) -> float:
    """Print it; the largest difference."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder)
        if any("finetune" in case.training for case in cases.values()):
            train_all({"the source of fine-tunings": Case(ADAM)}, 1, folder)
            (folder / "source.ckpt").write_bytes(checkpoint_in(folder / "1" / "0").read_bytes())
            shutil.rmtree(folder / "1")
        for n in (1, *sizes):
            train_all(cases, n, folder)
        found = [[compared(folder, i, n) for n in sizes] for i in range(len(cases))]
    print("| technique | " + " | ".join(f"{n} ranks" for n in sizes) + " |")
    print("|---|" + "---|" * len(sizes))
    for title, row in zip(cases, found, strict=True):
        print(f"| {title} | " + " | ".join(row) + " |")
    every = [float("nan") if one == "failed" else float(one) for row in found for one in row]
    return max(every, key=lambda part: (part != part, part))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ranks", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--only", nargs="+", default=[""], help="cases whose titles have this text")
    parser.add_argument("--pairs", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(machine(), end="\n\n")
    cases = dict(pairs()) if given.pairs else CASES
    chosen = {k: v for k, v in cases.items() if any(text in k for text in given.only)}
    worst = table(chosen, given.ranks[-1:] if given.pairs else given.ranks)
    print(f"\n{worst:.1e} at most")
    return 0 if worst < 1e-6 else 1


if __name__ == "__main__":
    sys.exit(main())
