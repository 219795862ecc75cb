"""The model in a file of another program, by the architecture that knows such files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from mtt import registry
from mtt.checkpoint import verify
from mtt.checkpoint.kinds import check_path, names_in, refuse_unless_zip
from mtt.checkpoint.read import foreign_objects, read_content
from mtt.checkpoint.records import records_of
from mtt.errors import CheckpointError, MttError
from mtt.importing.contract import READER, Imported
from mtt.importing.marks import marked
from mtt.importing.recognise import not_pickled, pickled, refusal
from mtt.registry import Architecture

_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, RuntimeError)


def read_foreign(
    path: str | Path, architectures: Sequence[str | Path] = ()
) -> tuple[Imported, Architecture]:
    """The model in ``path``, and the architecture that it is one of.

    Nothing that the file names is imported or called.

    :param architectures: folders of architectures outside of the package.
    :raises CheckpointError: the file is missing, damaged, or of a kind that no architecture
        reads; the message says what it is, as far as it can be seen.
    """
    path = check_path(path)
    known = list(_readers(architectures))
    can = [architecture.name for architecture, _ in known]
    with open(path, "rb") as file:
        refuse_unless_zip(file, path)
    members = names_in(path)
    if what := not_pickled(members):
        raise refusal(path, what, can)
    verify(path)
    names = set(foreign_objects(path))
    content = None
    for architecture, reader in known:
        if not names <= set(reader.CLASSES):
            continue
        content = read_content(path, records_of(reader.CLASSES))
        found = _read(reader, architecture, content, path)
        if found is not None:
            return found, architecture
    raise refusal(path, pickled(names, content, marked(path)), can)


def _readers(folders: Sequence[str | Path]) -> Iterator[tuple[Architecture, ModuleType]]:
    """Architectures with a reader of other programs' files."""
    for one in registry.discover(folders).values():
        if one.problem or not (one.folder / READER).is_file():
            continue
        architecture = one.load()
        package = architecture.model.__module__.rpartition(".")[0]
        yield architecture, import_module(f"{package}.{READER.removesuffix('.py')}")


def _read(
    reader: ModuleType, architecture: Architecture, content: object, path: Path
) -> Imported | None:
    try:
        found: Imported | None = reader.read(content)
    except MttError as error:
        problems = [one._replace(where=f"{path} {one.where}".strip()) for one in error.problems]
        raise type(error).collect(problems) from error
    except _MALFORMED as error:
        first = str(error).strip().partition("\n")[0]
        raise CheckpointError(
            f"holds what the reader of {architecture.name!r} does not expect "
            f"({type(error).__name__}: {first})",
            where=str(path),
            hint="it was altered, or is of other code; --debug shows where",
        ) from error
    return found
