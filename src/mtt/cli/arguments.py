"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from mtt.cli.render import terminal

F = TypeVar("F", bound=Callable[..., object])

architectures = click.option(
    "--architectures",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="An architecture folder, or a folder of such folders; may be given several times.",
)

extensions = click.option(
    "-e",
    "--extensions",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Accepted, as by metatrain: exported files need no extensions, and none are written.",
)


def notice_extensions(folder: Path | None) -> None:
    """Print that nothing is written into the folder of ``-e``."""
    if folder is not None:
        terminal.done(f"-e {folder}: exported files need no extensions; none are written")


overrides = click.option(
    "-r",
    "--override",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set an option, for example -r architecture.training.num_epochs=10.",
)


quiet = click.option(
    "-q", "--quiet", is_flag=True, help="Print results, warnings and errors alone."
)


def address(function: F) -> F:
    """Options of a command whose file may be downloaded: ``token`` and ``sha256``."""
    checksum = click.option(
        "--sha256",
        metavar="DIGITS",
        help="Checksum that the downloaded file must have; or write URL#sha256=DIGITS.",
    )
    token = click.option(
        "--token",
        metavar="TOKEN",
        help="Token for the server of a URL [default for Hugging Face: HF_TOKEN].",
    )
    return checksum(token(function))


def revision(function: F) -> F:
    """Options of a command that takes ``OWNER/REPO FILE`` of the Hugging Face hub."""
    chosen = click.option(
        "--revision",
        "-r",
        "--branch",
        "-b",
        "revision",
        metavar="REVISION",
        help="Branch, tag or commit of a repository on the Hugging Face hub.",
    )
    return chosen(address(function))


def shown(source: str) -> str:
    """A path as it is, an address without what may be secret in it."""
    from mtt.fetching.address import is_address, shown

    return shown(source) if is_address(source) else source


def _may_be_repository(word: str) -> bool:
    """Whether ``word`` reads as OWNER/REPO: no folder has that name, and no file would."""
    path = Path(word)
    return word.count("/") == 1 and not path.suffix and not path.parent.exists()


def source(words: Sequence[str], sha256: str | None, revision: str | None = None) -> str:
    """The path or the address in the words of a command line.

    :param words: a path, a URL, or a repository on the Hugging Face hub and a file in it.
    :raises click.UsageError: the options do not go with the words.
    """
    from mtt.fetching.address import hub_url, is_address

    repository = len(words) == 2 and words[0].count("/") == 1 and not Path(words[0]).exists()
    if len(words) > 1 and not repository:
        raise click.UsageError(
            "give one file, one URL, or OWNER/REPO and FILE of the Hugging Face hub, not "
            + " ".join(words)
        )
    if revision and len(words) == 1:
        raise click.UsageError(
            "--revision belongs to OWNER/REPO FILE; in an address write hf://OWNER/REPO@REVISION/FILE"
        )
    if len(words) == 1 and _may_be_repository(words[0]):
        raise click.UsageError(
            f"{words[0]}: no such file; for a repository on the Hugging Face hub, give the file "
            f"too: {words[0]} FILE"
        )
    text = words[0] if len(words) == 1 else hub_url(words[0], words[1], revision)
    if sha256 is None:
        return text
    if not is_address(text):
        raise click.UsageError("--sha256 belongs to a URL; sha256sum FILE checks a file")
    return f"{text}#sha256={sha256}"
