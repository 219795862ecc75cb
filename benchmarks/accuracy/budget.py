"""As many epochs as fit into a wall time.

A schedule of the learning rate ends with the last epoch, so that a run is made for its minutes:
a short trial tells what an epoch takes, and what else there is (start, reading, compiling in the
first epochs, export); the epochs of the real run follow. The minutes are of the whole training
command, from its start to its end, on every program alike.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from running import Failed, Finished

TRIAL_EPOCHS, WARM_UP = 8, 3
SLOWER = 1.03  # an epoch of a long run, by one of a short run
PATIENCE, GRACE = 2.0, 900.0  # a run is ended after PATIENCE times its minutes and GRACE seconds


@dataclass(frozen=True)
class Pace:
    """What a training costs.

    :param epoch: seconds of a steady epoch, training and validation.
    :param outside: seconds of a command besides its epochs.
    """

    epoch: float
    outside: float

    def epochs_in(self, minutes: float, least: int = 0) -> int:
        """Epochs whose command takes these minutes.

        :param least: so many, even if they take longer.
        :raises Failed: not a single one does.
        """
        n = max(least, int((60 * minutes - self.outside) / (SLOWER * self.epoch)))
        if n < 1:
            raise Failed(
                f"{minutes:g} minutes are too few: an epoch takes {self.epoch:.1f} s, "
                f"everything else {self.outside:.1f} s"
            )
        return n


def pace(finished: Finished, n_epochs: int) -> Pace:
    """The pace of a run of ``n_epochs``; its first epochs count as ``outside`` if they are slow.

    :raises Failed: the epochs were not told.
    """
    if len(finished.arrivals) < 2:
        raise Failed("no lines of epochs in its output")
    lengths = [after - before for before, after in itertools.pairwise(finished.arrivals)]
    steady = lengths[WARM_UP - 1 :] or lengths
    epoch = statistics.median(steady)
    return Pace(epoch, max(0.0, finished.seconds - n_epochs * epoch))


def limit(minutes: float) -> float:
    """Seconds after which a run of these minutes is ended."""
    return PATIENCE * 60 * minutes + GRACE


def within(
    minutes: float,
    known: Pace | None,
    run: Callable[[int], Finished],
    trial: int = TRIAL_EPOCHS,
    least: int = 0,
) -> tuple[Finished, int, Pace]:
    """Run for as many epochs as fit.

    :param known: from an earlier run of the same program on the same data; None: try first.
    :param run: runs the training of so many epochs.
    :param trial: epochs of the trial.
    :param least: epochs of a run, even if they take longer.
    :return: the run, its epochs, its pace.
    """
    if known is None:
        known = pace(run(trial), trial)
    n_epochs = known.epochs_in(minutes, least)
    finished = run(n_epochs)
    return finished, n_epochs, pace(finished, n_epochs) if n_epochs > trial else known
