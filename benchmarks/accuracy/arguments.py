"""What the commands of the tables have in common."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from budget import TRIAL_EPOCHS
from environments import DEFAULT_FOLDER, Environments
from peers import Program
from running import Failed
from systems import Missing

SHORTEST_TRIAL = 4
FEWEST = 12  # frames of which 10, a batch, are for training


@dataclass(frozen=True)
class Setting:
    """What all runs of a command share.

    :param out: results and tables are added to it.
    :param scratch: where the programs run.
    :param limit: take so many frames of a data set only.
    :param made: folder of the data that the benchmarks make.
    :param trial: epochs of the trial that finds how many epochs fit into a budget.
    """

    out: Path
    scratch: Path
    environments: Environments
    threads: int
    limit: int | None
    made: Path
    trial: int = TRIAL_EPOCHS


def basic(documentation: str) -> argparse.ArgumentParser:
    """A parser with what every command has: results, seeds, environments."""
    made = argparse.ArgumentParser(
        description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--render", action="store_true", help="write the table of the results that exist, and stop")
    add("--out", type=Path, default=Path("results"), help="folder of results and tables")
    add("--seeds", type=int, nargs="+", default=[1], help="a run each")
    add("--environments", type=Path, default=DEFAULT_FOLDER, help="where environments are made")
    add(
        "--environment", action="append", default=[], metavar="NAME=FOLDER",
        help="an environment that exists, as metatrain=/path; what is in it is not checked",
    )  # fmt: skip
    return made


def data(made: argparse.ArgumentParser) -> None:
    """Add the option for data that the benchmarks make."""
    made.add_argument(
        "--data", type=Path, dest="made", default=DEFAULT_FOLDER / "data",
        help="where data are made, and found again",
    )  # fmt: skip


def environments(given: argparse.Namespace) -> Environments:
    """Those that exist, and where others are made.

    :raises SystemExit: one has no interpreter.
    """
    existing = {}
    for pair in given.environment:
        name, equals, folder = pair.partition("=")
        if not equals or not (Path(folder) / "bin" / "python").exists():
            raise SystemExit(f"--environment {pair}: there is no {folder}/bin/python")
        existing[name] = Path(folder).resolve()
    return Environments(given.environments.resolve(), existing)


def parser(
    documentation: str, minutes: Sequence[float], several: bool, makes: bool = False
) -> argparse.ArgumentParser:
    """A parser with the options of all tables.

    :param minutes: the default budgets.
    :param several: whether there may be several budgets.
    :param makes: whether it uses data that the benchmarks make.
    """
    made = basic(documentation)
    add = made.add_argument
    if several:
        add("--minutes", type=float, nargs="+", default=list(minutes), help="budgets, a run each")
    elif minutes:
        add("--minutes", type=float, default=minutes[0], help="budget of a training")
    add("--only", nargs="+", metavar="MODEL", help="these models only; --list names them")
    add("--list", action="store_true", help="name the models and stop")
    add("--threads", type=int, default=os.cpu_count(), help="of every program")
    if makes:
        data(made)
    add("--trial", type=int, default=TRIAL_EPOCHS, help="epochs of the trial before the first run")
    add("--scratch", type=Path, help="run there and keep everything, instead of a temporary folder")
    add("--limit", type=int, help="take so many frames of the data only, to try the machinery")
    return made


def chosen(programs: Sequence[Program], given: argparse.Namespace) -> list[Program]:
    """The programs that were asked for.

    :raises SystemExit: one is not known; or their names were asked for.
    """
    names = [program.name for program in programs]
    if given.list:
        print("\n".join(names))
        raise SystemExit(0)
    unknown = sorted(set(given.only or ()) - set(names))
    if unknown:
        raise SystemExit(f"no model {', '.join(unknown)}; there are {', '.join(names)}")
    return [program for program in programs if not given.only or program.name in given.only]


def run(given: argparse.Namespace, work: Callable[[Setting], None]) -> None:
    """Do the work with the settings that were given.

    :raises SystemExit: the data are not here, or an option makes no sense.
    """
    if given.limit is not None and given.limit < FEWEST:
        raise SystemExit(f"--limit {given.limit}: a batch needs {FEWEST}")
    if given.trial < SHORTEST_TRIAL:
        raise SystemExit(f"--trial {given.trial}: a pace needs {SHORTEST_TRIAL} epochs")
    known = environments(given)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary) if given.scratch is None else given.scratch.resolve()
        setting = Setting(
            out=given.out.resolve(),
            scratch=scratch,
            environments=known,
            threads=given.threads,
            limit=given.limit,
            trial=given.trial,
            made=getattr(given, "made", DEFAULT_FOLDER / "data").resolve(),
        )
        try:
            work(setting)
        except (Missing, Failed) as error:
            sys.exit(str(error))
