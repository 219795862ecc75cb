"""Pages that are run: their files are written, their commands and scripts executed, in order."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from mtt.cli.main import run

_BLOCK = re.compile(r"^```(\S+)(?: (\w+))?\n((?::[^\n]*\n)*)\n?(.*?)^```", re.MULTILINE | re.DOTALL)


ENGINES = ("i-pi",)
"""Programs that pages may call."""


class Block(NamedTuple):
    """A block of code of a page.

    :param file: its caption; empty where it is to be run.
    """

    language: str
    file: str
    text: str


def blocks(page: str) -> Iterator[Block]:
    """All blocks of code of a page, in order."""
    for kind, language, options, text in _BLOCK.findall(page):
        caption = re.search(r"^:caption: (.*)$", options, re.MULTILINE)
        if kind == "{code-block}":
            yield Block(language, caption[1] if caption else "", text)
        elif not kind.startswith("{"):
            yield Block(kind, "", text)


class Walk:
    """Does what a page says, in an empty folder and in this process.

    :param said: what each command and each script printed.
    :param names: what the scripts share, as in one notebook; None: each begins with nothing.
    """

    def __init__(
        self, folder: Path, patch: pytest.MonkeyPatch, names: dict[str, object] | None = None
    ) -> None:
        self.folder = folder
        self.names = names
        self.site = folder / "site-packages"  # of what the page installs
        self.patch = patch
        self.said: list[str] = []

    def step(self, block: Block) -> None:
        """Write a file, run the lines of a shell, or run a script."""
        if block.file:
            path = self.folder / block.file
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "bash":
            for line in block.text.splitlines():
                self._command(line)
        elif block.language == "python":
            names = {"__name__": "__main__"} if self.names is None else self.names
            with self._listening():
                exec(compile(block.text, "<page>", "exec"), names)

    def _command(self, line: str) -> None:
        if line == "pip install .":
            self._install()
            return
        program, *words = line.split()
        if program in ENGINES:
            self._engine(line.split())
            return
        assert program == "mtt", line
        self._forget()
        with self._listening():
            code = run(words)
        assert code == 0, f"{line}\n{self.said[-1]}"

    def _engine(self, words: list[str]) -> None:
        """A program beside this Python, in a process of its kind."""
        words[0] = str(Path(sys.executable).parent / words[0])
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        self.said.append(done.stdout)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    @contextmanager
    def _listening(self) -> Iterator[None]:
        with redirect_stdout(io.StringIO()) as said:
            try:
                yield
            finally:
                self.said.append(said.getvalue())

    def _forget(self) -> None:
        """As a new process would: the page changes files that were imported before."""
        for name in [one for one in sys.modules if one.startswith("mtt_external_")]:
            del sys.modules[name]

    def _install(self) -> None:
        """What pip does with ``pyproject.toml``, as far as entry points ask for it."""
        project = tomllib.loads((self.folder / "pyproject.toml").read_text())
        setuptools = project["tool"]["setuptools"]
        for package in setuptools["packages"]:
            source, target = self.folder / package, self.site / package
            target.mkdir(parents=True)
            for pattern in ("*.py", *setuptools["package-data"][package]):
                for path in source.glob(pattern):
                    (target / path.name).write_bytes(path.read_bytes())
        about = project["project"]
        info = self.site / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {about['name']}\nVersion: {about['version']}\n")
        lines = []
        for group, entries in about["entry-points"].items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        self.patch.syspath_prepend(str(self.site))


@pytest.fixture(scope="module")
def walk(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., tuple[list[Block], Walk]]]:
    """Walks through a page of the manual, from its first block to its last."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")

        def through(
            name: str,
            given: Mapping[str, Path] = MappingProxyType({}),
            names: dict[str, object] | None = None,
        ) -> tuple[list[Block], Walk]:
            folder = tmp_path_factory.mktemp(name)
            for there, path in {"examples": root / "examples", **given}.items():
                (folder / there).symlink_to(path)
            patch.chdir(folder)
            done = Walk(folder, patch, names)
            found = list(blocks((root / "docs" / "src" / f"{name}.md").read_text(encoding="utf-8")))
            for block in found:
                done.step(block)
            return found, done

        yield through
