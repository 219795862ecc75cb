"""Milliseconds of energy and forces through ASE, ours and other programs', in turn.

    python benchmarks/accuracy/inference.py --out results

Every model is trained for two epochs on a few frames, which is enough for its speed. A process of
each keeps its trained file loaded, and that which the program compiles for ASE, if it does; rounds
of calls go through the processes in turn, so that all see the same moods of the machine. Before
every call the atoms move a little. The first round warms up and does not count.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path

import arguments
import ase
import ase.io
import ours
import results
import table
from arguments import Setting
from ase.build import bulk
from dynamics import LATTICE
from environments import versions
from measure import INSIDE, Bench
from peers import PEERS, Job, Program
from results import Result
from running import Failed, run, shown
from serving import Server
from systems import Data
from table import Column, Value

TABLE = "inference"
EPOCHS, FRAMES = 2, 20
LIMIT = 3600.0  # seconds of a training, and of compiling


def timing(name: str) -> Value:
    """A number of what was measured."""

    def value(result: Result) -> float | None:
        found: float | None = result.extra.get(name)
        return found

    return value


COLUMNS = (
    Column("ms per call", timing("ms"), 2),
    Column("quartiles: 1st", timing("ms first quartile"), 2),
    Column("3rd", timing("ms third quartile"), 2),
    Column("µs per atom", timing("us per atom"), 0),
    Column("atoms", timing("atoms")),
    Column("calls", timing("calls")),
)


def frame(data: Data, folder: Path) -> Path:
    """The structure that is evaluated: a molecule of acac, or 512 atoms of silicon."""
    atoms = ase.io.read(data.validation, 0)
    if data.name == "silicon":
        atoms = bulk("Si", "diamond", a=LATTICE, cubic=True).repeat(4)
    atoms.calc = None
    path = folder / f"{data.name}.xyz"
    ase.io.write(path, atoms, format="extxyz")
    return path


class Race:
    """Servers of all models for one structure, and what they answer."""

    def __init__(self, bench: Bench, data: Data, seed: int) -> None:
        self.bench, self.data, self.seed = bench, data, seed
        self.frame = frame(data, bench.setting.scratch)
        self.results: dict[str, Result] = {}
        self._servers: dict[str, Server] = {}

    def enter(self, program: Program) -> None:
        """Train a model, and start a server for each of its forms."""
        result = self.bench.result(program, self.data, self.seed, None)
        print(f"{self.data.name}: {program.name}", flush=True)
        try:
            python = self.bench.python(program)
            result.versions = versions(python)
            job = self.bench.job(program, self.data, self.seed, EPOCHS)
            self.bench.train(program, python, job, result, LIMIT)
        except Failed as error:
            result.failed = str(error)
            self.results[program.name] = result
            return
        self._serve(program, python, job, program.trained(job), result)
        compiling = program.compiled(job, python)
        if compiling is not None:
            command, file = compiling
            compiled = replace(result, model_name=f"{program.name}-compiled", extra={})
            compiled.command += f" && {shown(command)}"
            try:
                run(command, job.folder, job.threads, LIMIT)
            except Failed as error:
                compiled.failed = str(error)
                self.results[compiled.model_name] = compiled
                return
            self._serve(program, python, job, file, compiled)

    def _serve(self, program: Program, python: Path, job: Job, file: Path, result: Result) -> None:
        command = [str(python), str(INSIDE / "serve.py"), program.calculator]
        command += [str(file), str(self.frame)]
        self.results[result.model_name] = result
        self._servers[result.model_name] = Server(
            command, job.folder, job.threads, f"{result.model_name}.txt"
        )

    def run(self, rounds: int, calls: int) -> None:
        """Measure, and save the results."""
        seconds: dict[str, list[float]] = {name: [] for name in self.results}
        for turn in range(rounds + 1):
            for name, server in list(self._servers.items()):
                try:
                    answer = server.calls(calls)
                except Failed as error:
                    self.results[name].failed = str(error)
                    del self._servers[name]
                    continue
                seconds[name] += answer if turn else []
        for name, result in self.results.items():
            if result.failed is None:
                result.extra |= self._summary(seconds[name])
            results.save(result, self.bench.setting.out)

    def _summary(self, seconds: list[float]) -> dict[str, float]:
        ms = sorted(1e3 * one for one in seconds)
        n_atoms, quarter = len(ase.io.read(self.frame)), len(ms) // 4
        return {
            "ms": statistics.median(ms),
            "ms first quartile": ms[quarter],
            "ms third quartile": ms[-1 - quarter],
            "us per atom": 1e3 * statistics.median(ms) / n_atoms,
            "atoms": n_atoms,
            "calls": len(ms),
        }

    def close(self) -> None:
        """End all servers."""
        for server in self._servers.values():
            server.close()


def main() -> None:
    parser = arguments.parser(__doc__ or "", (), several=False)
    parser.add_argument("--data", nargs="+", choices=["acac", "silicon"])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--calls", type=int, default=10, help="of each model in a round")
    parser.set_defaults(limit=FRAMES)
    given = parser.parse_args()
    programs = arguments.chosen([*ours.uncompiled(), *PEERS], given)

    def work(setting: Setting) -> None:
        bench = Bench(TABLE, setting)
        for name in [] if given.render else given.data or ["acac", "silicon"]:
            race = Race(bench, bench.data(name), given.seeds[0])
            try:
                for program in programs:
                    race.enter(program)
                race.run(given.rounds, given.calls)
            finally:
                race.close()
        notes = "Median of single calls of energy and forces, rounds of the models in turn."
        print(table.write(TABLE, "Inference through ASE", COLUMNS, setting.out, notes))

    arguments.run(given, work)


if __name__ == "__main__":
    main()
