"""Train every size, keep its errors, fit the law; what is finished is not trained again."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mtt.checkpoint.temporary import replace_text
from mtt.errors import ConfigError, MttError, did_you_mean
from mtt.evaluation.power_law import PowerLaw, fit_power_law
from mtt.evaluation.quantities import quantities
from mtt.interface import Listener
from mtt.options import load_options
from mtt.workflows.learning.subsets import Subset, subsets
from mtt.workflows.plan import Plan
from mtt.workflows.reporting.curve_folder import CURVE
from mtt.workflows.reporting.report import MOST, report
from mtt.workflows.reporting.write import REPORT
from mtt.workflows.train import check_only, train

log = logging.getLogger(__name__)

RESULT, OPTIONS = "result.json", "options.yaml"
JSON, CSV = CURVE, "learning-curve.csv"


@dataclass(frozen=True)
class Point:
    """Errors of one size.

    :param errors: quantity to ``rmse``, ``mae``, ``unit`` and ``count``, as tables show them.
    :param run: folder of its run, relative to that of the curve.
    :param seconds: wall time of its training; of a resumed one, of the last part.
    """

    n: int
    errors: Mapping[str, Mapping[str, Any]]
    run: str
    seconds: float


@dataclass(frozen=True)
class LearningCurve:
    """The errors of all sizes, and a law for each quantity that has one.

    :param part: whose errors they are, ``"test"`` or ``"validation"``.
    """

    part: str
    points: tuple[Point, ...]
    laws: Mapping[str, PowerLaw] = field(default_factory=dict)

    @property
    def units(self) -> dict[str, str]:
        """Quantity to unit."""
        return {name: str(one["unit"]) for name, one in self.points[0].errors.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        laws = {
            name: {
                "amplitude": law.amplitude,
                "exponent": law.exponent,
                "exponent_range": list(law.exponent_range),
                "offset": law.offset,
                "unit": self.units[name],
            }
            for name, law in self.laws.items()
        }
        points = [asdict(point) for point in self.points]
        return {"part": self.part, "points": points, "laws": laws}


def learning_curve(
    options: str | Path | Mapping[str, Any],
    sizes: Sequence[int],
    *,
    output: str | Path = "learning-curve",
    overrides: Sequence[str] = (),
    equal_steps: bool = True,
    architectures: Sequence[str | Path] = (),
    listeners: Sequence[Listener] = (),
    wanted: Sequence[str] = (),
    done: Callable[[Point, str], None] = lambda point, part: None,
) -> LearningCurve:
    """Train on nested subsets, and fit a power law to the errors on the test or validation set.

    :param options: the options file, or its content.
    :param sizes: numbers of structures to train on.
    :param output: a folder; each size has a subfolder with its run, ``n-100``.
    :param equal_steps: all sizes take as many optimizer steps as the largest; else as many epochs.
    :param wanted: quantities (``"forces"``) that there must be.
    :param done: called with each point, also with those that were finished before.
    :raises MttError: the options cannot be trained, a size is not there, or ``output`` holds
        another curve.
    """
    given = load_options(options, overrides)
    seed = [] if given.base.get("seed") is not None else ["seed=0"]  # the same split every time
    absolute = [Path(one).resolve() for one in architectures]
    plan, _ = check_only(options, overrides=[*overrides, *seed], architectures=absolute)
    _check_wanted(wanted, plan)
    folder = Path(output)
    part = "test" if plan.data.test else "validation"
    points = []
    for subset in subsets(plan, sizes, equal_steps=equal_steps):
        own = folder / f"n-{subset.n}"
        known = _finished(own, subset)
        point = known or _trained(own, subset, part, absolute, listeners)
        done(point, part)
        points.append(point)
        curve = LearningCurve(part, tuple(points), _laws(points))
        _write(folder, curve)
    if plan.options.report:
        _report(folder, points, absolute)
    return curve


def _report(folder: Path, points: Sequence[Point], architectures: Sequence[Path]) -> None:
    """The page of all sizes; one that cannot be written is a warning, as that of a run."""
    if not 1 < len(points) <= MOST:
        return
    try:
        path = report([folder / one.run for one in points], folder / REPORT, architectures)
    except MttError as error:
        log.warning("no report: %s", error)
    else:
        log.info("wrote %s", path)


def _check_wanted(wanted: Sequence[str], plan: Plan) -> None:
    extended = plan.training.extended_metrics
    known = [one.name for one in quantities(plan.data.info, totals=False, extended=extended)]
    for name in wanted:
        if name not in known:
            hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
            raise ConfigError(f"the training has no errors of {name!r}", hint=hint)


def _laws(points: Sequence[Point]) -> dict[str, PowerLaw]:
    found = {}
    for name in points[0].errors:
        pairs = [(one.n, float(one.errors[name]["rmse"])) for one in points if name in one.errors]
        law = fit_power_law(*zip(*pairs, strict=True))
        if law is not None:
            found[name] = law
    return found


def _finished(folder: Path, subset: Subset) -> Point | None:
    """The point of a size that was trained before.

    :raises ConfigError: it was trained with other options.
    """
    try:
        values = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        known, point = values.pop("options"), Point(**values)
    except FileNotFoundError:
        before = folder / OPTIONS
        if before.is_file() and before.read_text(encoding="utf-8") != subset.options.to_yaml():
            raise _other(folder) from None
        return None
    except (ValueError, TypeError, KeyError) as error:
        hint = "remove this folder to train the size again"
        raise ConfigError("holds no result of a size", where=str(folder), hint=hint) from error
    if known != _fingerprint(subset):
        raise _other(folder)
    return point


def _other(folder: Path) -> ConfigError:
    what = "was trained with other options, data or sizes"
    hint = f"name another folder with -o, or remove {folder.parent}"
    return ConfigError(what, where=str(folder), hint=hint)


def _fingerprint(subset: Subset) -> str:
    return hashlib.sha256(subset.options.to_yaml().encode()).hexdigest()


def _trained(
    folder: Path,
    subset: Subset,
    part: str,
    architectures: Sequence[Path],
    listeners: Sequence[Listener],
) -> Point:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / OPTIONS).write_text(subset.options.to_yaml(), encoding="utf-8")
    log.info("training on %d structures, in %s", subset.n, folder)
    start = time.monotonic()
    with chdir(folder):  # runs are below the working folder
        found = train(OPTIONS, restart="auto", architectures=architectures, listeners=listeners)
    assert found.directory is not None, "of a training"
    errors = {
        row.quantity: {"rmse": row.rmse, "mae": row.mae, "unit": row.unit, "count": row.count}
        for row in found.reports[part].rows
        if not row.quantity.endswith(" total")  # per atom says the same
    }
    run = (Path(folder.name) / found.directory).as_posix()
    point = Point(subset.n, errors, run, time.monotonic() - start)
    values = {**asdict(point), "options": _fingerprint(subset)}
    replace_text(folder / RESULT, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
    return point


def _write(folder: Path, curve: LearningCurve) -> None:
    text = json.dumps(curve.to_dict(), indent=2, ensure_ascii=False)
    replace_text(folder / JSON, text + "\n")
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    units = curve.units
    heads = [(name, kind) for name in units for kind in ("rmse", "mae")]
    writer.writerow(["structures", *(f"{n} {k.upper()} ({units[n]})" for n, k in heads)])
    for point in curve.points:
        writer.writerow([point.n, *(point.errors.get(n, {}).get(k, "") for n, k in heads)])
    replace_text(folder / CSV, rows.getvalue())
