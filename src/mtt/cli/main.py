"""The ``mtt`` command: finds the subcommand, runs it, and turns errors into exit codes.

0 done, 1 the user's error, 2 usage, 70 a bug, 130 stopped by SIGINT, 143 by SIGTERM or SIGUSR1.
"""

from __future__ import annotations

import errno
import os
import tempfile
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from mtt._version import __version__
from mtt.errors import MttError, did_you_mean
from mtt.processes.place import quieten, speaks
from mtt.stopping import Stopped, watch_signals

BUG = 70  # sysexits.h: EX_SOFTWARE
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of errors that say that the disk is full."""

# command: (module, one line of help); the module is imported when the command runs
COMMANDS = {
    "init": ("mtt.cli.init", "Write an options file for data files."),
    "train": ("mtt.cli.train", "Train a model, export it, evaluate it."),
    "eval": ("mtt.cli.eval", "Predict and score structures with a trained model."),
    "export": ("mtt.cli.export", "Export a checkpoint for simulation engines, or to an archive."),
    "import": ("mtt.cli.import_", "Make a checkpoint of a model of another program."),
    "show": ("mtt.cli.show", "Describe a file: a model, packed data, a run, options."),
    "runs": ("mtt.cli.runs.listing", "List the runs below a folder."),
    "compare": ("mtt.cli.runs.compare", "Compare the errors and the options of runs."),
    "report": ("mtt.cli.runs.report", "Write the report of runs, as one HTML file."),
    "architectures": ("mtt.cli.architectures", "List the architectures, or show one."),
    "new": ("mtt.cli.new", "Write a new architecture to start from."),
    "check": ("mtt.cli.check", "Check architectures, or an options file and its data."),
    "data": ("mtt.cli.data", "Statistics of data files; packing of large data sets."),
    "learning-curve": ("mtt.cli.runs.learning_curve", "Errors against the number of structures."),
    "schema": ("mtt.cli.schema", "Print the JSON Schema of options files, for editors."),
    "completion": ("mtt.cli.completion", "Print the completion script of bash, zsh or fish."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported only when they run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of ``args``; of a mistyped one, the usage error names the nearest."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            hint = did_you_mean(name, COMMANDS)
            ctx.fail(f"No such command {name!r}.{' D' + hint[1:] if hint else ''}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def show_completion(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    """Print the path of the completion script, and exit."""
    if wanted:
        from mtt.cli.render import terminal

        terminal.done(str(Path(__file__).with_name("completion.bash")))
        context.exit()


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mtt")
@click.option("--debug", is_flag=True, help="Show debug messages, and tracebacks of errors.")
@click.option(
    "--shell-completion",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=show_completion,
    help='Print the path of the completion for bash: source "$(mtt --shell-completion)"',
)
def cli(debug: bool) -> None:
    """Train atomistic machine-learning models from one YAML file."""
    from mtt.cli.render import terminal

    terminal.setup(debug)


def run(arguments: Sequence[str]) -> int:
    """Run one command; every outcome is an exit code.

    :param arguments: the words after ``mtt``.
    """
    from mtt.cli.render import terminal
    from mtt.cli.render.progress import bars

    debug = "--debug" in arguments
    quieten(os.environ)
    report = terminal.at_once if speaks(os.environ) else terminal.nothing
    try:
        with watch_signals(report=report), bars():
            return int(cli.main(list(arguments), prog_name="mtt", standalone_mode=False) or 0)
    except Stopped as stop:
        terminal.plain(str(stop))
        return stop.exit_code
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as usage:
        usage.show()
        return usage.exit_code
    except MttError as error:
        terminal.error(str(error))
        if debug:
            terminal.plain(traceback.format_exc())
        return 1
    except (KeyboardInterrupt, click.exceptions.Abort):
        terminal.error("stopped")
        return 130
    except Exception as error:  # noqa: BLE001
        if _lacks_memory(error):
            terminal.error(f"no memory is left: {str(error) or 'the system gives none'}")
            return 1
        if isinstance(error, OSError) and error.errno in FULL:
            terminal.error(f"{error.filename or 'a file'} cannot be written: {error.strerror}")
            return 1
        # not the user's fault: keep everything that the report of a bug needs
        log = _write_traceback(arguments)
        last = traceback.format_exc().strip().splitlines()[-1]
        terminal.error(f"this is a bug in mtt or in the architecture: {last}\nfull report: {log}")
        if debug:
            terminal.plain(traceback.format_exc())
        return BUG


def _lacks_memory(error: Exception) -> bool:
    from mtt.data.memory import lacks_memory

    return lacks_memory(error)


def _write_traceback(arguments: Sequence[str]) -> Path:
    with tempfile.NamedTemporaryFile("w", prefix="mtt-error-", suffix=".log", delete=False) as file:
        file.write(f"mtt {__version__} {' '.join(arguments)}\n\n{traceback.format_exc()}")
    return Path(file.name)
