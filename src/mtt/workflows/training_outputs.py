"""What a training writes, compared with what it reads: options, data, sources, its own run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mtt.errors import ConfigError, Problem
from mtt.exporting import check_path
from mtt.options import Options, RawOptions
from mtt.workflows.claim import claimed
from mtt.workflows.overwriting import (
    Named,
    files_in,
    free_name,
    is_inside,
    refuse_overwriting,
    same_file,
)
from mtt.workflows.restart.source import Restart, resumed_folder
from mtt.workflows.run.folder import OUTPUTS, RunFolder, check_writable
from mtt.workflows.run.remote import local_folder

_RUN_WRITES = (
    *("*.txt", "*.json", "*.jsonl", "*.csv", "*.log", "*.pt", "*.ckpt", "*.yaml"),
    *("report.html", "report.npz"),
)
"""Names of the files that a run replaces or continues in its folder, as loggers do."""


def checked_output(output: Path | None, dry_run: bool) -> Path:
    """The exported model's name, with its suffix; tried, unless nothing will be written.

    :raises MttError: it or the checkpoint beside it cannot be written.
    """
    named = Path("model.pt") if output is None else output
    if not named.name or named.name == "..":
        raise ConfigError("is a folder", where=f"-o {named}", hint="name a file: -o model.pt")
    if named.suffix != ".pt":
        named = named.with_name(f"{named.name}.pt")
    if not dry_run:
        check_path(named)
        check_writable(named.with_suffix(".ckpt"))
        with claimed(named):  # the time to know is before the data are read
            pass
    return named


def refuse_to_overwrite(
    output: Path,
    raw: RawOptions,
    options: Options,
    restart: Restart | None,
) -> None:
    """Compare ``output``, its checkpoint, the run folder and its copies with all that is read.

    The run that a restart continues is one run: its checkpoints and logs are continued.

    :raises ConfigError: something that is read would be replaced; names both files.
    """
    read = [*_options_file(raw), *_named(raw, options)]
    sources = [] if restart is None else [*_of_restart(restart)]
    outputs = [
        Named(output, "the exported model"),
        Named(output.with_suffix(".ckpt"), "the checkpoint"),
    ]
    hint = f"name another output, such as -o {free_name(output)}"
    refuse_overwriting(outputs, sources, f"{hint}; or --restart auto, which uses the run's folder")
    refuse_overwriting(outputs, read, hint)
    folder = None if restart is None else resumed_folder(restart)
    problems = [
        *([] if folder is None else _in_run(folder, read)),
        *([] if options.remote is None else _in_copies(options.remote, folder, read, sources)),
    ]
    if problems:
        raise ConfigError.collect(problems)


def _options_file(raw: RawOptions) -> Iterator[Named]:
    if raw.source:
        yield Named(Path(raw.source), "the options")


def _named(raw: RawOptions, options: Options) -> Iterator[Named]:
    """Files that the options name: as they are written, with lines; then what defaults name."""
    yield from files_in(raw.base, raw.places.where)
    yield from files_in(options.to_dict(), raw.places.where)


def _of_restart(restart: Restart) -> Iterator[Named]:
    yield Named(restart.path, "--restart")
    if restart.path.resolve().parent.name == "checkpoints":
        # `auto` reads all of them to find the newest
        for path in sorted(restart.path.parent.glob("*.ckpt*")):
            yield Named(path, "a checkpoint of the run to restart from")


def _in_run(folder: RunFolder, read: Sequence[Named]) -> list[Problem]:
    """What is read of the folder that a restart continues, and would be replaced."""
    problems = []
    for one in read:
        if not is_inside(one.path, folder.path):
            continue
        if any(one.path.match(pattern) for pattern in _RUN_WRITES):
            what = f"is read ({one.role}), and is in the folder of the run to restart"
            hint = f"copy it to a folder outside of {folder.path} first"
            problems.append(Problem(what, str(one.path), hint))
    return list({problem.where: problem for problem in problems}.values())


def _in_copies(
    url: str, folder: RunFolder | None, read: Sequence[Named], sources: Sequence[Named]
) -> list[Problem]:
    """Copies in a folder of this machine: not where the run is, nor where it reads."""
    base = local_folder(url)
    if base is None:
        return []
    where, hint = f"remote {url}", "name a folder for copies only"
    if folder is None:
        if same_file(base, OUTPUTS):
            what = f"is {OUTPUTS}: the copies would replace the files of the run itself"
            return [Problem(what, where, hint)]
        return []
    copies = base.joinpath(*folder.path.resolve().parts[-2:])
    if same_file(copies, folder.path) or is_inside(copies, folder.path):
        what = f"is where the run to restart is ({folder.path}): a copy would replace its original"
        return [Problem(what, where, hint)]
    for one in [*read, *sources]:
        if is_inside(one.path, copies):
            what = f"the copies would replace {one.path}, which is read ({one.role})"
            return [Problem(what, where, hint)]
    return []
