"""``mtt report``: make the report of runs again, one by one or side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtt.checkpoint.temporary import replace_text
from mtt.errors import ConfigError, Problem
from mtt.report.compose import compose
from mtt.report.run_data import RunData
from mtt.stopping import stop_if_asked
from mtt.workflows.overwriting import is_inside, same_file
from mtt.workflows.reporting.curve_folder import is_curve, runs_of_curve
from mtt.workflows.reporting.probing import with_probes
from mtt.workflows.reporting.read_run import check_run, names_of, read_run
from mtt.workflows.reporting.write import REPORT
from mtt.workflows.run.folder import check_writable

MOST = 12
"""Runs of one page: more colours cannot be distinguished."""


def report(
    runs: Sequence[str | Path],
    output: str | Path | None = None,
    architectures: Sequence[str | Path] = (),
) -> Path:
    """Write the report of a run, or the comparison of several.

    A run may be finished, running, or have failed: what its folder holds is shown, and what is
    missing is named.

    :param runs: folders of runs, or of ``mtt learning-curve``.
    :param output: left out: ``report.html`` in the folder of the run; of several, in this folder.
    :param architectures: folders of architectures outside of the package.
    :return: the file that was written.
    :raises MttError: a folder is not that of a run; the file cannot be written, or is one that
        the runs consist of.
    :raises Stopped: a signal came; the page is the old one or the new one.
    """
    folders = different([Path(run) for run in runs])
    if len(folders) > MOST:
        raise ConfigError(
            f"{len(folders)} runs do not fit on one page",
            hint=f"name at most {MOST}; `mtt compare` and `mtt runs` list any number",
        )
    own = folders[0] / REPORT if len(folders) == 1 else Path(REPORT)
    path = own if output is None else Path(output)
    _check_output(path, folders)
    read = read_runs(folders, architectures)
    if len(read) == 1:
        read = [with_probes(read[0], architectures)]
    stop_if_asked()
    text = compose(read)
    stop_if_asked()
    try:
        replace_text(path, text)
    except OSError as error:
        raise ConfigError(
            f"cannot be written: {error.strerror}", where=str(path), hint="name another with -o"
        ) from error
    stop_if_asked()
    return path


def read_runs(folders: Sequence[Path], architectures: Sequence[str | Path] = ()) -> list[RunData]:
    """What is known of each run.

    :raises MttError: a folder is not that of a run.
    """
    pairs = zip(folders, names_of(folders), strict=True)
    return [read_run(folder, name, architectures) for folder, name in pairs]


def different(folders: Sequence[Path]) -> list[Path]:
    """Folders of runs, each once; of a learning curve, those of its sizes.

    :raises ConfigError: one of them is not that of a run; all of them are named.
    """
    problems: list[Problem] = []
    found: list[Path] = []
    for folder in folders:
        try:
            runs = runs_of_curve(folder) if is_curve(folder) else [folder]
            for run in runs:
                check_run(run)
            found += runs
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError.collect(problems)
    return list({folder.resolve(): folder for folder in found}.values())


def _check_output(path: Path, folders: Sequence[Path]) -> None:
    """Whether the page may be written there: nothing of a run but its report is replaced."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(
            "a report is an HTML file", where=f"-o {path}", hint=f"-o {path.with_suffix('.html')}"
        )
    check_writable(path)
    for folder in folders:
        if path.exists() and is_inside(path, folder) and not same_file(path, folder / REPORT):
            raise ConfigError(
                f"is a file of the run {folder}, which is read",
                where=f"-o {path}",
                hint=f"name another file, such as -o {REPORT}",
            )
    if path.is_symlink() or (path.exists() and path.stat().st_nlink > 1):
        raise ConfigError(
            "is a link, and the file behind it may be one that is read",
            where=f"-o {path}",
            hint="remove the link, or name another file",
        )
