"""One run of one model: train, predict, score; a failure becomes part of the result."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import budget
import results
import score
import systems
from arguments import Setting
from budget import Pace
from environments import versions
from peers import Job, Program
from results import Result
from running import Failed, Finished, run, shown, told
from systems import Data, Source

PREDICTION_LIMIT = 3600.0  # seconds
SOLUTION_LIMIT = 3600.0  # seconds of a model without epochs
INSIDE = Path(__file__).resolve().parent / "inside"


class Bench:
    """Runs of a table, which remember how long epochs take.

    :param least: epochs of a training, even if they take longer than its minutes.
    """

    def __init__(self, table: str, setting: Setting, least: int = 0) -> None:
        self.table, self.setting, self.least = table, setting, least
        self._paces: dict[tuple[str, str], Pace] = {}
        self._solved: dict[tuple[str, str, int], Result] = {}
        self._n_runs = 0

    def data(self, source: str | Source) -> Data:
        """A data set, split into files; a name is one of ``systems.SOURCES``."""
        known = systems.SOURCES[source] if isinstance(source, str) else source
        return systems.split(known, self.setting.scratch / "data", self.setting.limit)

    def result(self, program: Program, data: Data, seed: int, minutes: float | None) -> Result:
        """A result with what is known before the start."""
        return Result(
            table=self.table,
            data=data.name,
            model_name=program.name,
            seed=seed,
            threads=self.setting.threads,
            processor=systems.surroundings.processor(),
            minutes=minutes,
            n_train=data.n_train,
        )

    def measure(
        self,
        program: Program,
        data: Data,
        seed: int,
        minutes: float,
        after: Callable[[Program, Job, Result], None] | None = None,
    ) -> Result:
        """Train for these minutes and score; the result is saved, with its model.

        A model without epochs is solved once, in the time that it takes.

        :param after: what else is done with the trained model, and noted in the result.
        """
        key = (program.name, data.name, seed)
        if key in self._solved:
            return self._solved[key]
        result = self.result(program, data, seed, minutes if program.paced else None)
        print(f"{result.stem}: {f'{minutes:g} minutes' if program.paced else 'once'}", flush=True)
        if not program.paced:
            self._solved[key] = result
        try:
            python = self.python(program)
            result.versions = versions(python)
            job = self._train(program, python, data, result)
            result.curve = program.curve(job, self._finished)
            result.extra |= program.history(job)
        except Failed as error:
            result.failed = str(error)
            return self._saved(result)
        return self.finish(program, job, result, after)

    def finish(
        self,
        program: Program,
        job: Job,
        result: Result,
        after: Callable[[Program, Job, Result], None] | None = None,
    ) -> Result:
        """Score the model of a job; the result is saved, with the model."""
        try:
            self.score(program, self.python(program), job, result)
            if after is not None:
                after(program, job, result)
        except Failed as error:
            result.failed = str(error)
        return self._saved(result)

    def _saved(self, result: Result) -> Result:
        results.save(result, self.setting.out)
        print(f"  {line(result)}", flush=True)
        return result

    def python(self, program: Program) -> Path:
        """The interpreter of the program's environment."""
        return self.setting.environments.python(program.environment, program.packages)

    def job(self, program: Program, data: Data, seed: int, n_epochs: int) -> Job:
        """A training in a new folder."""
        self._n_runs += 1
        folder = self.setting.scratch / f"{self.table}-{program.name}-{self._n_runs}"
        while folder.exists():
            folder = folder.with_name(f"{folder.name}+")
        folder.mkdir(parents=True)
        return Job(folder, data, n_epochs, seed, self.setting.threads)

    def train(self, program: Program, python: Path, job: Job, result: Result, limit: float) -> None:
        """Run the training of a job, and note what it was and took."""
        command, hypers = program.write(job, python)
        result.hypers = hypers.replace(f"{job.data.train.parent}/", "").replace(
            str(job.folder), "."
        )
        result.command = shown(command)
        result.epochs, result.seconds, result.peak_mb = job.n_epochs, None, None
        self._finished = run(command, job.folder, job.threads, limit, program.epoch)
        result.seconds, result.peak_mb = self._finished.seconds, self._finished.peak_mb
        if not program.trained(job).is_file():
            raise Failed(f"it ended well, but there is no {program.trained(job).name}")

    def _train(self, program: Program, python: Path, data: Data, result: Result) -> Job:
        if result.minutes is None:
            job = self.job(program, data, result.seed, 1)
            self.train(program, python, job, result, SOLUTION_LIMIT)
            return job
        jobs: list[Job] = []

        def once(n_epochs: int) -> Finished:
            jobs.append(self.job(program, data, result.seed, n_epochs))
            assert result.minutes is not None
            self.train(program, python, jobs[-1], result, budget.limit(result.minutes))
            return self._finished

        key = (program.name, data.name)
        known, trial = self._paces.get(key), self.setting.trial
        _, _, pace = budget.within(result.minutes, known, once, trial, self.least)
        self._paces[key] = pace
        result.epoch_seconds = pace.epoch
        result.structures_per_second = data.n_train / pace.epoch
        return jobs[-1]

    def score(self, program: Program, python: Path, job: Job, result: Result) -> None:
        """Predict with the trained model in a process of its own, and compare with the labels."""
        model = program.trained(job)
        outs = {part: job.folder / f"{part}.npz" for part in job.data.scored}
        files = [str(one) for part, file in job.data.scored.items() for one in (file, outs[part])]
        kind = program.precise or program.calculator
        command = [str(python), str(INSIDE / "predict.py"), kind, str(model), *files]
        done = run(command, job.folder, job.threads, PREDICTION_LIMIT)
        result.parameters = told(done)["parameters"]
        for part, file in job.data.scored.items():
            try:
                labels, predicted = score.read_labels(file), score.read_predictions(outs[part])
                result.errors[part] = score.errors(labels, predicted).to_json()
            except ValueError as error:
                raise Failed(f"{part}: {error}") from error
            groups = score.read_groups(file, systems.GROUP)
            if groups:
                found = score.errors_by_group(labels, predicted, groups)
                result.groups[part] = {name: one.to_json() for name, one in found.items()}
        self._keep(model, result)

    def _keep(self, model: Path, result: Result) -> None:
        folder = self.setting.out / "models"
        folder.mkdir(parents=True, exist_ok=True)
        result.model = result.stem + model.suffix
        shutil.copyfile(model, folder / result.model)


def line(result: Result) -> str:
    """A result on one line, for whoever waits."""
    if result.failed is not None:
        return f"failed: {result.failed.splitlines()[0]}"
    errors = next(iter(result.errors.values()))
    return (
        f"{result.epochs or 0} epochs, {result.seconds or 0:.0f} s: energy RMSE "
        f"{errors['energy_rmse']:.2f} meV, force RMSE {errors['forces_rmse']:.1f} meV/Å"
    )
