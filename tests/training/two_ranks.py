"""Trainings on one rank and on two, which are processes of one parent; run as a script.

``python two_ranks.py FOLDER`` writes what each rank ends with into ``FOLDER/<training>``. The
processes are forked before anything is differentiated: torch can not be forked later.
"""

import importlib.util
import io
import os
import signal
import sys
import traceback
from multiprocessing import Pipe
from pathlib import Path, PosixPath

import torch._dynamo  # the optimizers do: once, before the processes are forked

from mtt.checkpoint import read
from mtt.data import Dataset
from mtt.interface import Run
from mtt.ranks import Ranks, SerialRanks
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
}


class ProcessRanks(Ranks):
    """One of two processes with a pipe between them."""

    def __init__(self, rank, pipe):
        self.rank, self.size, self._pipe = rank, 2, pipe

    def gather(self, value):
        written = io.BytesIO()
        torch.save(value, written)
        mine = written.getvalue()
        if self.rank == 0:
            self._pipe.send_bytes(mine)
            theirs = self._pipe.recv_bytes()
        else:
            theirs = self._pipe.recv_bytes()
            self._pipe.send_bytes(mine)
        with torch.serialization.safe_globals([PosixPath]):
            values = [torch.load(io.BytesIO(one), weights_only=True) for one in (mine, theirs)]
        return values if self.rank == 0 else values[::-1]

    def sum(self, tensors):
        return [one + other for one, other in zip(*self.gather(list(tensors)), strict=True)]

    def sum_known(self, tensors, like):
        detached = [None if tensor is None else tensor.detach() for tensor in tensors]
        pairs = zip(*self.gather(detached), strict=True)
        known = [[tensor for tensor in pair if tensor is not None] for pair in pairs]
        return [sum(some[1:], some[0]) if some else None for some in known]

    def largest(self, tensor):
        return torch.stack(self.gather(tensor)).amax(0)


def on_two(work):
    """``work(ranks)`` in two processes."""
    ends = Pipe()
    forked(lambda: work(ProcessRanks(0, ends[0])), lambda: work(ProcessRanks(1, ends[1])))


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


class Training:
    """Runs of the same options, from the same weights; their files go to ``folder``."""

    def __init__(self, known, folder, dropout=0.0, **options):
        frames = known.molecules(22, seed=1)
        self.data = [[Dataset.from_frames(some, known.INFO)] for some in (frames[:16], frames[16:])]
        self.known, self.folder, self.dropout = known, folder, dropout
        few = {"num_epochs": 2, "learning_rate": 0.01, "checkpoint_interval": 2}
        self.hypers = {**few, **options}
        folder.mkdir()

    def run(self, ranks, name, *, batch_size, stop=None, resume=None):
        """Train, and store what this rank ends with as ``<name>-<rank>.pt``."""
        hypers = {**self.hypers, "batch_size": batch_size}
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
        options = {"width": 16, "dropout": self.dropout}
        model = self.known.PairNet(options, self.known.INFO).double()
        return model, self.known.Trainer(hypers)

    def resumed(self, hypers, path):
        checkpoint = read(path)
        model = self.known.PairNet.load_checkpoint(checkpoint, "restart").restart(self.known.INFO)
        return model, self.known.Trainer.load_checkpoint(checkpoint, hypers, "restart")


def main(folder):
    known = helpers()
    for name, options in TRAININGS.items():
        one = Training(known, folder / name, **options)
        forked(lambda run=one.run: run(SerialRanks(), "one", batch_size=4))
        on_two(lambda ranks, run=one.run: run(ranks, "two", batch_size=2))
    random = Training(known, folder / "stopped", dropout=0.5)
    last = folder / "stopped" / "part" / "last.ckpt"
    on_two(lambda ranks: random.run(ranks, "whole", batch_size=2))
    on_two(lambda ranks: random.run(ranks, "part", batch_size=2, stop=(2, 2)))
    on_two(lambda ranks: random.run(ranks, "resumed", batch_size=2, resume=last))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
