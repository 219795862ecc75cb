"""Every place whose answer follows from the data of all ranks asks them."""

import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import torch

import mtt
from mtt.interface import Run
from mtt.ranks import SerialRanks

CORE = Path(mtt.__file__).parent


class Recorder(SerialRanks):
    """One rank that knows which files have asked it for what."""

    def __init__(self):
        self.asked = defaultdict(set)

    def _note(self, what):
        frame = sys._getframe(2)
        while (place := Path(frame.f_code.co_filename)).name == "ranks.py":
            frame = frame.f_back
        self.asked[place.relative_to(CORE).as_posix()].add(what)


def _recorded(name):
    real = getattr(SerialRanks, name)

    def method(self, *given):
        self._note(name)
        return real(self, *given)

    return method


for _name in ("gather", "sum", "sum_known", "sum_numbers", "largest", "on_first"):
    setattr(Recorder, _name, _recorded(_name))


def test_every_place_whose_answer_follows_from_all_ranks_asks_them(make_model, make_trainer, train):
    """And tensors come back as the very ones that were given: no copy is made."""
    ranks = Recorder()
    trainer = make_trainer(
        num_epochs=2,
        on_nonfinite="rollback",
        batch_atoms="auto",
        checkpoint_interval_minutes=1e-6,
        max_time=3600,
        prefit={"parameters": ["network.3.*"], "max_steps": 1},
    )
    trainer.run = replace(trainer.run, ranks=ranks)
    train(trainer, make_model())
    assert dict(ranks.asked) == {
        "evaluation/metrics.py": {"sum", "largest"},
        "training/batch_size/auto.py": {"gather"},
        "training/checkpoints.py": {"on_first"},
        "training/fit.py": {"gather"},
        "training/losses/counts.py": {"sum", "sum_numbers"},
        "training/losses/gradients.py": {"sum_known"},
        "training/numerics/random_state.py": {"gather"},
        "training/prefit.py": {"sum", "sum_numbers"},
        "training/refit/last_fit.py": {"gather"},
        "training/refit/residuals.py": {"sum"},
        "training/reporting/meter.py": {"sum", "gather"},
        "training/reporting/speed.py": {"gather", "sum_numbers"},
        "training/step.py": {"sum"},
        "training/stopping/timing.py": {"gather"},
    }
    tensors = [torch.ones(2), torch.zeros(1)]
    assert all(a is b for a, b in zip(SerialRanks().sum(tensors), tensors, strict=True))
    assert SerialRanks().largest(tensors[0]) is tensors[0]
    assert SerialRanks().sum_known([None, tensors[0]], tensors) == [None, tensors[0]]
    assert isinstance(Run().ranks, SerialRanks)
