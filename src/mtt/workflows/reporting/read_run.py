"""Everything that a report shows of a run, from its folder; what cannot be read is said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtt.data import DatasetInfo
from mtt.errors import ConfigError, MttError
from mtt.options import read_yaml
from mtt.report.kept import KEPT, Kept
from mtt.report.run_data import RunData
from mtt.workflows.reporting.energy import energy_used
from mtt.workflows.reporting.environment import stored_environment
from mtt.workflows.reporting.history import log_lines, marks_of, rows_of, warnings_in
from mtt.workflows.reporting.meaning import defaults_of, loaded, meaning
from mtt.workflows.restart.runs import is_run
from mtt.workflows.run.folder import OUTPUTS, PROVENANCE, RunFolder
from mtt.workflows.run.record import recorded
from mtt.workflows.run_facts import with_content

_LAST_LINES = 40  # of the log
_MISREAD = (AttributeError, KeyError, TypeError)


def check_run(folder: Path) -> None:
    """Whether ``folder`` is that of a run.

    :raises ConfigError: it is not; says what it is.
    """
    if is_run(folder):
        return
    if not folder.exists():
        raise ConfigError("there is no such folder", where=str(folder))
    what = "is a file" if folder.is_file() else "is not the folder of a run"
    raise ConfigError(
        f"{what}: a run has {RunFolder(folder).options.name} or checkpoints in it",
        where=str(folder),
        hint="`mtt runs FOLDER` lists the runs below a folder",
    )


def read_run(folder: Path, name: str, architectures: Sequence[str | Path] = ()) -> RunData:
    """What is known of the run in ``folder``.

    :param name: how the report calls it.
    :param architectures: folders of architectures outside of the package.
    """
    missing: list[str] = []
    facts, content = with_content(folder)
    log = log_lines(folder)
    rows, problems = rows_of(folder, content, running=facts["state"] == "running")
    missing += problems
    options = _options(folder, missing)
    architecture = loaded(_architecture(options), architectures)
    command = recorded(folder)
    return RunData(
        name=name,
        folder=folder.resolve(),
        facts=facts,
        rows=rows,
        marks=marks_of(log, rows, facts.get("best_epoch")),
        info=_info(folder, content),
        options=options,
        meaning=meaning(folder, architecture),
        defaults=None if architecture is None else defaults_of(architecture),
        provenance=_json(folder / PROVENANCE),
        environment=stored_environment(folder),
        command={} if command is None else command.to_dict(),
        kept=_kept(folder, facts, missing),
        log=log[-_LAST_LINES:],
        warnings=warnings_in(log),
        energy=energy_used(folder),
        missing=missing,
    )


def names_of(folders: Sequence[Path]) -> list[str]:
    """A short name for each run, no two alike: the last parts of its path.

    Of several runs that are each in the ``outputs`` of another folder, the names of these folders.
    """
    resolved = [folder.resolve() for folder in folders]
    homes = [_home(one) for one in resolved]
    if len(homes) > 1 and "" not in homes and len(set(homes)) == len(homes):
        return homes
    for n in (2, 3, 4, 5):
        names = ["/".join(one.parts[-n:]) for one in resolved]
        if len(set(names)) == len(names):
            return names
    return [str(one) for one in resolved]


def _home(run: Path) -> str:
    """``n-50`` of ``n-50/outputs/DAY/TIME``; empty for a run elsewhere."""
    return run.parts[-4] if len(run.parts) > 4 and run.parts[-3] == OUTPUTS.name else ""


def _options(folder: Path, missing: list[str]) -> dict[str, Any] | None:
    try:
        found = read_yaml(RunFolder(folder).options)
    except ConfigError as error:
        missing.append(f"Its options cannot be read: {error}.")
        return None
    return found if isinstance(found, dict) else None


def _architecture(options: Mapping[str, Any] | None) -> Any:
    section = (options or {}).get("architecture")
    return section.get("name") if isinstance(section, Mapping) else None


def _info(folder: Path, content: Mapping[str, Any]) -> DatasetInfo | None:
    """Targets and units; from the folder, else from a checkpoint."""
    for found in (_json(folder / "dataset_info.json"), content.get("dataset_info")):
        if found:
            try:
                return DatasetInfo.from_dict(found)
            except _MISREAD:
                continue
    return None


def _kept(folder: Path, facts: Mapping[str, Any], missing: list[str]) -> Kept | None:
    try:
        kept = Kept.load(folder / KEPT)
        epoch, best = kept.facts.get("epoch"), facts.get("best_epoch")
        if epoch is not None and best is not None and epoch != best:
            missing.append(
                f"Predictions are those of epoch {epoch}, the best one before the run was resumed; "
                f"the best epoch is now {best}."
            )
        return kept
    except FileNotFoundError:
        if facts.get("state") == "finished":
            missing.append(
                f"There is no {KEPT}: the run was trained with report: false, or by an older mtt. "
                "Predictions are not shown."
            )
    except MttError as error:
        missing.append(f"Predictions are not shown: {error}.")
    return None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
