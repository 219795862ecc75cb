"""Results: one file of JSON for every run, never overwritten."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass
class Result:
    """A run of one model, with all that is needed to do it again.

    :param table: which command made it.
    :param minutes: the budget of the training; None: there was none.
    :param failed: why there are no numbers; None: it worked.
    :param seconds: wall time of the training command.
    :param epoch_seconds: median of the steady epochs, training and validation.
    :param structures_per_second: of the training set, by ``epoch_seconds``.
    :param peak_mb: largest resident memory of the training, MB.
    :param errors: of a part of the data (``validation``, ``test``), see ``score.Errors``.
    :param groups: errors of a part of the data by groups of its structures.
    :param curve: [seconds, energy RMSE per atom (meV), force RMSE (meV/Å)] on validation.
    :param model: file name of the kept model, in ``models`` beside the results.
    :param extra: what only one table has.
    """

    table: str
    data: str
    model_name: str
    seed: int
    threads: int
    processor: str
    minutes: float | None = None
    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    command: str = ""
    hypers: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    n_train: int | None = None
    epochs: int | None = None
    seconds: float | None = None
    epoch_seconds: float | None = None
    structures_per_second: float | None = None
    parameters: int | None = None
    peak_mb: float | None = None
    errors: dict[str, dict[str, float | None]] = field(default_factory=dict)
    groups: dict[str, dict[str, dict[str, float | None]]] = field(default_factory=dict)
    curve: list[list[float]] = field(default_factory=list)
    model: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    failed: str | None = None

    @property
    def stem(self) -> str:
        """Name of its files."""
        budget = [] if self.minutes is None else [f"{self.minutes:g}min"]
        stamp = "".join(c for c in self.date[:19] if c.isalnum())
        parts = [self.table, self.data, self.model_name, *budget, f"seed{self.seed}", stamp]
        return "-".join(parts)

    @property
    def budget(self) -> str:
        """The minutes of the training, as tables show them."""
        return "–" if self.minutes is None else f"{self.minutes:g}"


def save(result: Result, folder: Path) -> Path:
    """Write a result into ``folder``; a name that is taken gets a number."""
    folder.mkdir(parents=True, exist_ok=True)
    path, n = folder / f"{result.stem}.json", 1
    content = text(result)
    while True:
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(content)
            return path
        except FileExistsError:
            n += 1
            path = folder / f"{result.stem}_{n}.json"  # sorts after the first


def text(result: Result) -> str:
    """JSON with a line for every field, and one for every point of the learning curve."""
    fields = asdict(result)
    points = ",\n".join(f"  {json.dumps(point)}" for point in fields["curve"])
    values = {name: json.dumps(value) for name, value in fields.items()}
    values["curve"] = f"[\n{points}\n ]" if points else "[]"
    lines = ",\n".join(f" {json.dumps(name)}: {value}" for name, value in values.items())
    return f"{{\n{lines}\n}}\n"


def load(folder: Path, table: str) -> list[Result]:
    """All results of a table in ``folder``, the oldest first."""
    found = []
    for path in sorted(folder.glob(f"{table}-*.json")):
        found.append(Result(**json.loads(path.read_text(encoding="utf-8"))))
    return sorted(found, key=lambda result: result.date)


def current(results: list[Result]) -> list[Result]:
    """The results that count: of runs of the same kind and seed the newest that worked.

    A failure counts as long as nothing of its kind worked.
    """
    best: dict[tuple[Any, ...], Result] = {}
    for result in sorted(results, key=lambda one: (one.failed is None, one.date)):
        best[(*kind(result), result.seed)] = result
    worked = {kind(one) for one in best.values() if one.failed is None}
    return [one for one in best.values() if one.failed is None or kind(one) not in worked]


def kind(result: Result) -> tuple[Any, ...]:
    """What runs have in common that differ by their seeds only."""
    return (
        result.processor, result.threads, result.data, result.n_train,
        result.minutes, result.model_name,
    )  # fmt: skip
