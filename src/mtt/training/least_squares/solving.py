"""One training by least squares: baselines, equations, their solution, and how good it is."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import Any

import torch

from mtt.baselines.given import given_types
from mtt.interface import Run
from mtt.mlip import LinearMLIPModel
from mtt.options.training import TrainingOptions
from mtt.stopping import stop_if_asked
from mtt.training.datasets import TrainingData
from mtt.training.least_squares.assemble import assemble
from mtt.training.least_squares.ridge import CRITERIA, Criterion, solve
from mtt.training.least_squares.rows import check_squares
from mtt.training.numerics.same_weights import share_weights
from mtt.training.reporting.events import Events
from mtt.training.setup import TrainingSetup

logger = logging.getLogger(__name__)

Scores = dict[str, float]


@dataclass(frozen=True)
class Solver:
    """A model, what it is fitted to, and how.

    :param ridge: penalty on the weights, or how the data choose it.
    :param run: whose ranks share the structures out; each of them solves the same equations.
    """

    model: LinearMLIPModel
    data: TrainingData
    options: TrainingOptions
    ridge: float | Criterion
    run: Run

    def setup(self) -> TrainingSetup:
        """Loss, scores and their names, with the scales that the model has now.

        :raises ConfigError: options that do not fit the data, terms that are not squares.
        """
        setup = TrainingSetup(self.options, self.run, self.model, self.data)
        check_squares(setup.judged)
        return setup

    def solve(self, events: Events) -> dict[str, Any]:
        """Find the baselines, then the weights; what the solution says of itself, in plain types.

        :raises TrainingError: the equations cannot be solved.
        :raises Stopped: a signal.
        """
        started = time.perf_counter()
        model, ranks = self.model, self.run.ranks
        model.fit_baselines(self.data.training, self.options)
        model.set_weights(torch.zeros(model.n_weights, dtype=torch.float64))
        setup = self.setup()  # with the scale that was found

        def progress(done: int, of: int) -> None:
            events("progress", 1, batch=done, n_batches=of)
            stop_if_asked()

        model.look_at(setup.graphs)
        free = self._free()
        loader = setup.loader(self.options, self.data.training, shuffle=False)
        equations = assemble(model, loader, setup.judged, free, progress, ranks)
        assembled = time.perf_counter()
        columns = torch.arange(len(equations.right), device=equations.right.device)
        found = solve(equations, columns < model.n_weights, self.ridge, stop_if_asked)
        model.set_weights(found.weights[: model.n_weights])
        if free:
            values = model.composition.values
            values[free, 0] += found.weights[model.n_weights :].to(values)
        share_weights(model, ranks)
        return {
            "equations": equations.n_rows,
            "weights": len(found.weights),
            "ridge": found.ridge,
            "criterion": str(self.ridge),
            "effective_parameters": found.effective,
            "condition": found.condition,
            "loss": found.squares,
            "seconds": {
                "assembly": assembled - started,
                "whole": time.perf_counter() - started,
            },
        }

    def scores(self, setup: TrainingSetup) -> tuple[Scores, Scores]:
        """Loss and errors on the training set, and on the validation sets."""
        validation = setup.make_validation()
        loader = setup.loader(self.options, self.data.training, shuffle=False)
        training = replace(validation, sets=[("", loader)])
        found = training.run(self.model, stop_if_asked)
        own = {**found, "gradient norm": float("nan")}
        return own, validation.run(self.model, stop_if_asked)

    def _free(self) -> list[int]:
        """Elements whose energy is fitted together with the weights: those that are not given."""
        (name,) = self.model.target_names
        types = self.model.dataset_info.atomic_types
        given = given_types(self.options.given_baselines.get(name), types)
        return [i for i in range(len(types)) if i not in given]


def log_solution(said: dict[str, Any]) -> None:
    """Two lines on what :meth:`Solver.solve` returned."""
    logger.info(
        "solved %d equations for %d weights in %.1f s (%.1f s to set them up)",
        said["equations"],
        said["weights"],
        said["seconds"]["whole"],
        said["seconds"]["assembly"],
    )
    chosen = said["criterion"] in CRITERIA
    logger.info(
        "ridge %.2g%s; %.0f parameters are determined by the data; condition %.1e",
        said["ridge"],
        f", by {said['criterion']}" if chosen else "",
        said["effective_parameters"],
        said["condition"],
    )
