"""Files of every other file system that fsspec knows: ``s3://``, ``gs://``, ``sftp://`` …"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mtt.errors import CheckpointError, MttError
from mtt.fetching.address import file_name, shown
from mtt.fetching.stream import Downloaded, Unchanged, save


def download(url: str, folder: Path, version: dict[str, str]) -> Downloaded | Unchanged:
    """Get ``url`` into ``folder``, unless it is still of that ``version``.

    :raises CheckpointError: fsspec is missing, does not know such addresses, or cannot read it.
    """
    where = shown(url)
    if find_spec("fsspec") is None:
        raise CheckpointError(
            f"addresses that begin with {url.partition('://')[0]}:// need the package fsspec, "
            "which is not installed",
            where=where,
            hint="pip install 'mtt[remote]'",
        )
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(url)
        key = str(filesystem.ukey(path))
        if version.get("key") == key:
            return Unchanged()
        size = filesystem.info(path).get("size")
        with filesystem.open(path, "rb") as stream:
            return save(stream, folder / file_name(url), where, size, {"key": key})
    except MttError:
        raise
    except FileNotFoundError as error:
        raise CheckpointError("no such file", where=where) from error
    except Exception as error:  # every file system of fsspec has its own errors
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CheckpointError(f"cannot be downloaded: {said}", where=where) from error
