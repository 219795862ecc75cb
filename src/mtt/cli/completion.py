"""``mtt completion``."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import get_completion_class

from mtt.cli.render import terminal

SHELLS = ("bash", "zsh", "fish")
BASH = Path(__file__).with_name("completion.bash")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script that makes the Tab key complete commands, options and files.

    \b
    bash: mtt completion bash > ~/.local/share/bash-completion/completions/mtt
    zsh:  mtt completion zsh > "${fpath[1]}/_mtt"
    fish: mtt completion fish > ~/.config/fish/completions/mtt.fish
    Make the folder first where it is missing: mkdir -p ~/.local/share/bash-completion/completions
    """
    if shell == "bash":
        terminal.done(BASH.read_text(encoding="utf-8").rstrip())
        return
    known = get_completion_class(shell)
    assert known is not None, "click knows these shells"
    script = known(context.find_root().command, {}, "mtt", "_MTT_COMPLETE").source()
    terminal.done(script.strip())
