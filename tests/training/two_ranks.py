"""Trainings on one rank and on two, which are processes of one parent; run as a script.

``python two_ranks.py FOLDER`` writes what each rank ends with into ``FOLDER/<training>``. The
processes are forked before anything is differentiated: torch can not be forked later.
"""

import importlib.util
import os
import signal
import sys
import tempfile
import traceback
from functools import partial
from pathlib import Path

import numpy as np
import torch._dynamo  # the optimizers do: once, before the processes are forked
import torch.distributed as dist

from mtt.checkpoint import read
from mtt.data import Dataset
from mtt.interface import Run
from mtt.processes.distributed import DistributedRanks
from mtt.ranks import SerialRanks
from mtt.registry import find
from mtt.training import TrainingInterrupted

TRAININGS = {
    "averaged": {
        "ema": {"decay": 0.8},
        "grad_clip_norm": 0.1,
        "gradient_accumulation": 2,
        "extended_metrics": True,
        "prefit": {"parameters": ["network.3.*"], "max_steps": 2},
    },
    "conflict-free": {
        "gradient_combination": "config",
        "scheduler": "plateau",
        "early_stopping": {"patience": 2},
        "on_nonfinite": "rollback",
        "checkpoint_interval_minutes": 1e-6,  # after every step
    },
    "line search": {"optimizer": "lbfgs", "grad_clip_norm": None, "num_epochs": 1},
    # every second rank has nothing to do, and some batches have no label of one kind
    "one by one": {
        "optimizer": "schedulefree_adamw",
        "batch_size": 1,
        "on_nonfinite": "skip",
        "prefit": {"parameters": ["network.3.*"], "max_steps": 1},
    },
    "by atoms": {
        "max_atoms_per_batch": 14,
        "min_atoms_per_batch": 5,
        "augmentation": "o3",
        "loss": {"energy": {"type": "mse", "gradients": {"positions": {"type": "huber"}}}},
    },
    "measured": {
        "batch_atoms": "auto",
        "stages": [{"num_epochs": 1}, {"num_epochs": 1, "from": "best", "optimizer": "adam"}],
    },
    "default options": {"architecture": "density_messages", "num_epochs": 6},
}
TINY = {"num_channels": 8, "num_features": 8, "num_layers": 2, "max_angular": 1, "cutoff": 3.0}
TINY |= {"average_neighbors": 3.0}


def on_two(work):
    """``work(ranks)`` in two processes, which gloo connects."""
    with tempfile.TemporaryDirectory() as folder:

        def one(rank):
            store = dist.FileStore(f"{folder}/store", 2)
            dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
            work(DistributedRanks())

        forked(partial(one, 0), partial(one, 1))


def forked(*works):
    """Each in a process; what fails ends all."""
    children = []
    for work in works:
        child = os.fork()
        if not child:
            code = 1
            try:
                work()
                code = 0
            except BaseException:  # noqa: BLE001 - the parent ends
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        children.append(child)
    while children:
        child, status = os.wait()
        children.remove(child)
        if status:
            for other in children:
                os.kill(other, signal.SIGKILL)
            sys.exit(1)


def helpers():
    """The model and the molecules of conftest.py."""
    place = Path(__file__).with_name("conftest.py")
    spec = importlib.util.spec_from_file_location("training_conftest", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def without_some_labels(i, frame):
    """A molecule of which, by its number, an energy, forces, or both are missing."""
    labels = frame.labels["energy"]
    for name, numbers in (("values", (1, 2, 8)), ("forces", (3, 4, 8))):
        if i in numbers:
            labels = labels._replace(**{name: getattr(labels, name) * np.nan})
    return frame._replace(labels={"energy": labels})


class Training:
    """Runs of the same options, from the same weights; their files go to ``folder``."""

    def __init__(self, known, folder, dropout=0.0, architecture="", **options):
        frames = known.molecules(22, seed=1)
        frames[:16] = map(without_some_labels, range(16), frames[:16])
        self.data = [[Dataset.from_frames(some, known.INFO)] for some in (frames[:16], frames[16:])]
        self.known, self.folder, self.dropout = known, folder, dropout
        self.architecture = find(architecture).load() if architecture else None
        few = {"num_epochs": 2, "learning_rate": 0.01, "checkpoint_interval": 2, "batch_size": 4}
        if self.architecture is not None:
            few = dict(self.architecture.default_hypers["training"])
        self.hypers = {**few, **options}
        folder.mkdir()

    def run(self, ranks, name, *, stop=None, resume=None):
        """Train, and store what this rank ends with as ``<name>-<rank>.pt``."""
        hypers = self.hypers
        model, trainer = self.new(hypers) if resume is None else self.resumed(hypers, resume)

        def listener(category, values, epoch):
            if category == "progress" and (epoch, values["batch"]) == stop:
                trainer._fit.stop.signal = signal.SIGUSR1

        listeners = [listener] if ranks.rank == ranks.size - 1 else []
        trainer.run = Run(
            seed=5, architecture="pairs", listeners=listeners, own_loggers=False, ranks=ranks
        )
        reason, cpu = "", [torch.device("cpu")]
        try:
            trainer.train(model, torch.float64, cpu, *self.data, str(self.folder / name))
        except TrainingInterrupted as stopped:
            reason = str(stopped)
        trainer.save_checkpoint(model, self.folder / f"{name}.ckpt")
        weights = {key: value.detach() for key, value in model.state_dict().items()}
        history = trainer._state.history
        found = {"weights": weights, "reason": reason, "history": history}
        torch.save(found, self.folder / f"{name}-{ranks.rank}.pt")

    def new(self, hypers):
        torch.manual_seed(0)
        if self.architecture is not None:
            options = self.architecture.default_hypers["model"] | TINY
            model = self.architecture.model(options, self.known.INFO)
            return model.double(), self.architecture.trainer(hypers)
        options = {"width": 16, "dropout": self.dropout}
        model = self.known.PairNet(options, self.known.INFO).double()
        return model, self.known.Trainer(hypers)

    def resumed(self, hypers, path):
        checkpoint = read(path)
        model = self.known.PairNet.load_checkpoint(checkpoint, "restart").restart(self.known.INFO)
        return model, self.known.Trainer.load_checkpoint(checkpoint, hypers, "restart")


def exchanged(ranks, folder):
    """What all methods of two ranks return, as ``methods-<rank>.pt``."""
    mine, nan = float(ranks.rank), torch.nan
    pair = [torch.tensor([1.0 + mine, 2.0]), torch.tensor(3, dtype=torch.int64)]
    own = [torch.full((2, 2), mine), None, torch.ones(1) if ranks.rank else None]
    shared = torch.full((3, 2), mine).t()

    def fail():
        raise TrainingInterrupted("stopped", exit_code=143, hint="resume")

    try:
        ranks.on_first(fail)
    except TrainingInterrupted as error:
        raised = (str(error), error.exit_code, error.hint)
    ranks.share([shared])
    owned = [torch.full((3, 2), mine).t(), torch.full((2,), mine, dtype=torch.float64)]
    owned += [torch.full((2, 1), mine, requires_grad=True), torch.full((), 5 + ranks.rank)]
    ranks.share_owned(owned, [1, 1, 0, 1])
    found = {
        "gather": ranks.gather({"rank": ranks.rank, "text": "x" * 900 * ranks.rank}),
        "broadcast": [ranks.broadcast(ranks.rank), ranks.broadcast("y" * 5000)],
        "sum": ranks.sum(pair),
        "given": pair,
        "none": [ranks.sum([]), ranks.sum_numbers([])],
        "sum_known": ranks.sum_known(own, [torch.ones(2, 2), torch.ones(3), torch.ones(1)]),
        "numbers": ranks.sum_numbers([0.1, mine]),
        "largest": ranks.largest(torch.tensor([mine, -mine, nan if ranks.rank else 1.0])),
        "extremes": [ranks.max(ranks.rank - 5), ranks.min(ranks.rank - 5), ranks.any(mine > 0)],
        "differing": [ranks.differing(lambda: mine), ranks.differing(lambda: 1)],
        "first": ranks.on_first(lambda: "written"),
        "raised": raised,
        "shared": shared,
        "owned": owned,
    }
    ranks.barrier()
    torch.save(found, folder / f"methods-{ranks.rank}.pt")


def main(folder):
    known = helpers()
    on_two(lambda ranks: exchanged(ranks, folder))
    for name, options in TRAININGS.items():
        one = Training(known, folder / name, **options)
        forked(lambda run=one.run: run(SerialRanks(), "one"))
        on_two(lambda ranks, run=one.run: run(ranks, "two"))
    random = Training(known, folder / "stopped", dropout=0.5, optimizer="soap")
    last = folder / "stopped" / "part" / "last.ckpt"
    on_two(lambda ranks: random.run(ranks, "whole"))
    on_two(lambda ranks: random.run(ranks, "part", stop=(2, 2)))
    on_two(lambda ranks: random.run(ranks, "resumed", resume=last))
    fewer = Training(known, folder / "fewer", ema={"decay": 0.8})
    last = folder / "fewer" / "part" / "last.ckpt"
    forked(lambda: fewer.run(SerialRanks(), "one"))
    on_two(lambda ranks: fewer.run(ranks, "part", stop=(2, 2)))
    forked(lambda: fewer.run(SerialRanks(), "two", resume=last))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
