"""What the commands of the tables of targets have in common."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import arguments
import results
from environments import Environments


@dataclass(frozen=True)
class Given:
    """The options of a command.

    :param only: models, or cases.
    :param epochs: None: those of the table.
    :param frames: sizes of the training set, a run each.
    :param folds: so many of the folds are tested.
    :param made: folder of the data that the benchmarks make.
    """

    only: list[str]
    seeds: list[int]
    epochs: int | None
    out: Path
    render: bool
    made: Path
    environments: Environments
    frames: list[int]
    folds: int

    def keep(self, result: results.Result) -> None:
        """Write a result, and show its numbers."""
        path = results.save(result, self.out)
        print(path.name, flush=True)
        for one in result.extra.get("rows", []):
            print("  ", one, flush=True)


def parsed(
    documentation: str, names: Sequence[str], frames: Sequence[int] = (), folds: int = 0
) -> Given:
    """The options that were given.

    :param names: of what ``--only`` selects.
    :param frames: default sizes of the training set; none: the table has one.
    :param folds: how many there are; 0: the table has none.
    """
    parser = arguments.basic(documentation)
    arguments.data(parser)
    add = parser.add_argument
    add("--only", nargs="+", choices=list(names), default=list(names), help="default: all")
    add("--epochs", type=int, help="of each training, instead of those of the table")
    if frames:
        add("--frames", nargs="+", type=int, default=list(frames), help="to train on, a run each")
    if folds:
        add("--folds", type=int, default=folds, help="test so many of the folds")
    asked = parser.parse_args()
    return Given(
        asked.only, asked.seeds, asked.epochs, asked.out.resolve(), asked.render,
        asked.made.resolve(), arguments.environments(asked),
        getattr(asked, "frames", []), getattr(asked, "folds", 0),
    )  # fmt: skip


def shown() -> str:
    """The command of this process, without folders of this machine."""
    words = [Path(sys.argv[0]).name, *sys.argv[1:]]
    places = {"--environment", "--environments", "--data", "--out"}
    return " ".join(one for i, one in enumerate(words) if not {one, words[max(0, i - 1)]} & places)
