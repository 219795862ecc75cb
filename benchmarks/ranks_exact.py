"""Do several ranks learn what one learns, whatever technique they use?

    python benchmarks/ranks_exact.py [--ranks 2 4] [--only NAME ...] [--pairs] [--rounding]

Tiny models are trained in float64 on one rank and on several, each a process with one thread that
trains all of them. Printed is a table in Markdown: the largest difference of a weight, a buffer or
a baseline of the final model from that of one rank, in parts of the largest number of its tensor.

``--pairs`` trains with all pairs of techniques whose options do not contradict each other, on the
largest number of ranks alone; ``--only`` chooses some of them. ``refused`` are those that any
number of ranks refuses, with the same message.

``--rounding`` adds a column: one rank once more, whose first weights differ in their last bit.
That is what the technique makes of rounding, which several ranks do in another order.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from ranks import in_ranks
from ranks_cases import CASES, SOURCES, Case, options, pairs, write_data
from setting import machine

import mtt
import mtt.training.batch_size.auto
import mtt.workflows
from mtt.checkpoint import read
from mtt.data.memory import free_memory
from mtt.errors import ConfigError, MttError

REFUSED = "refused.txt"
"""Why a training does not begin."""
SCRIPTED = "closures.pt"
"""What closures give, at weights that are the same on any number of ranks."""
NUDGED = "nudged"
"""One rank, whose first weights differ in their last bit."""


def leave_out_the_export() -> None:
    """Which the first rank does alone, and which takes most of the time."""
    # the module, which a function of the same name hides
    vars(sys.modules["mtt.workflows.train"])["export_and_evaluate"] = lambda *_: {}


def nudge_the_first_weights() -> None:
    """Of the trainings in this process, by a relative 2⁻⁵² up or down, or not at all."""
    room = vars(sys.modules["mtt.workflows.train"])
    run = room["run"]

    def nudged(plan: Any, start: Any, *rest: Any) -> Any:
        dice = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for one in start.model.to(plan.dtype).parameters():
                one *= 1 + 2.0**-52 * torch.randint(-1, 2, one.shape, generator=dice).double()
        return run(plan, start, *rest)

    room["run"] = nudged


def believe(n_bytes: int | None) -> None:
    """Let ``batch_atoms: auto`` find so much free memory in this process; None: what is free."""
    room = vars(sys.modules["mtt.training.batch_size.auto"])
    room["free_memory"] = free_memory if n_bytes is None else lambda _: n_bytes


@contextmanager
def scripted(place: Path, follow: bool, write: bool) -> Iterator[None]:
    """Within the block, L-BFGS only looks: at weights that its number of steps decides.

    What its closures give there is kept, and written into ``place`` at the end.
    """
    kept: dict[str, torch.Tensor] = {}
    last: list[torch.optim.LBFGS] = []
    searching = torch.optim.LBFGS.step

    def look(self: torch.optim.LBFGS, closure: Callable[[], float]) -> None:
        if self not in last:  # others were of trial steps, of which each rank takes its own number
            kept.clear()
            last[:] = [self]
        weights = [p for group in self.param_groups for p in group["params"]]
        for _ in range(3):
            dice = torch.Generator().manual_seed(len(kept))
            with torch.no_grad():
                for one in weights:
                    one += 0.02 * torch.randn(one.shape, generator=dice, dtype=one.dtype)
            n, value = len(kept), closure()
            kept[f"loss {n}"] = torch.tensor([value], dtype=torch.float64)
            found = [p.grad.flatten() for p in weights if p.grad is not None]
            kept[f"gradient {n}"] = torch.cat(found).clone()

    try:
        if follow:
            torch.optim.LBFGS.step = look  # type: ignore[method-assign, assignment]
        yield
    finally:
        torch.optim.LBFGS.step = searching  # type: ignore[method-assign]
    if write:
        torch.save(kept, place / SCRIPTED)


def checkpoint_in(place: Path) -> Path:
    """Of the only training in a folder."""
    (found,) = place.glob("outputs/*/*/model.ckpt")
    return found


def numbers(place: Path) -> dict[str, torch.Tensor]:
    """Weights, buffers and baselines of the model that was trained in a folder, or closures."""
    if (place / SCRIPTED).exists():
        return dict(torch.load(place / SCRIPTED, weights_only=True))
    found = read(checkpoint_in(place))["model_state_dict"]
    return {key: value for key, value in found.items() if value.is_floating_point()}


def train_all(cases: Mapping[str, Case], name: str, folder: Path) -> None:
    """Train all cases on as many ranks as ``name`` says, or :data:`NUDGED`, case i in
    ``folder / name / "i"``, and say how each ends."""
    ports, n = free_ports(len(cases)), 1 if name == NUDGED else int(name)
    for i in range(len(cases)):
        place = folder / name / str(i)
        place.mkdir(parents=True)
        for file in folder.glob("*.*"):
            (place / file.name).symlink_to(file)

    def work(rank: int) -> None:
        leave_out_the_export()
        if name == NUDGED:
            nudge_the_first_weights()
        for i, (title, case) in enumerate(cases.items()):
            os.chdir(folder / name / str(i))
            os.environ["MASTER_PORT"] = str(ports[i])
            believe(case.memory if 0 < rank == n - 1 else None)
            keeping = scripted(Path.cwd(), case.scripted, case.scripted and rank == 0)
            try:
                with keeping:
                    mtt.train(options(case))
            except (MttError, SystemExit) as error:
                print(f"{n} ranks, rank {rank}, {title}: {error}", file=sys.stderr, flush=True)
                if rank == 0 and isinstance(error, ConfigError):
                    Path(REFUSED).write_text(str(error))
                if dist.is_initialized():  # the next case makes another group
                    dist.destroy_process_group()
                continue
            if rank == 0 and n > 1:
                found = compared(folder, i, name)
                print(f"{n} ranks, {title}: {found}", file=sys.stderr, flush=True)

    in_ranks(n, work)


def free_ports(n: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("localhost", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def compared(folder: Path, i: int, name: str) -> str:
    """How far the case i in one folder is from that on one rank."""
    one, several = (folder / each / str(i) for each in ("1", name))
    why = [(place / REFUSED).read_text() for place in (one, several) if (place / REFUSED).exists()]
    if len(why) == 2 and why[0] == why[1]:
        return "refused"
    try:
        return f"{difference(numbers(one), numbers(several)):.0e}"
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


def table(cases: Mapping[str, Case], sizes: Sequence[int], rounding: bool = False) -> float:
    """Print it; the largest difference between numbers of ranks."""
    names = [str(n) for n in sizes] + [NUDGED] * rounding
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_data(folder)
        if any("finetune" in case.training for case in cases.values()):
            train_all(SOURCES, "1", folder)
            for i, source in enumerate(SOURCES):
                shutil.copy(checkpoint_in(folder / "1" / f"{i}"), folder / source)
            shutil.rmtree(folder / "1")
        for name in ("1", *names):
            train_all(cases, name, folder)
        found = [[compared(folder, i, name) for name in names] for i in range(len(cases))]
    titles = [f"{n} ranks" for n in sizes] + ["one rank, first weights nudged"] * rounding
    print("| technique | " + " | ".join(titles) + " |")
    print("|---|" + "---|" * len(titles))
    for title, row in zip(cases, found, strict=True):
        print(f"| {title} | " + " | ".join(row) + " |")
    shown = [one for row in found for one in row[: len(sizes)] if one != "refused"]
    every = [float("nan") if one == "failed" else float(one) for one in shown]
    return max(every, default=0.0, key=lambda part: (part != part, part))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ranks", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--only", nargs="+", default=[""], help="cases whose titles have this text")
    parser.add_argument("--pairs", action="store_true")
    parser.add_argument("--rounding", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(machine(), end="\n\n")
    cases = dict(pairs()) if given.pairs else CASES
    chosen = {k: v for k, v in cases.items() if any(text in k for text in given.only)}
    worst = table(chosen, given.ranks[-1:] if given.pairs else given.ranks, given.rounding)
    print(f"\n{worst:.1e} at most")
    return 0 if worst < 1e-6 else 1


if __name__ == "__main__":
    sys.exit(main())
