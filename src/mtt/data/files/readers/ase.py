"""everything that ASE reads, by suffix and content; the same as no `reader`."""

from __future__ import annotations

import ase.io
from ase.io.formats import UnknownFileTypeError, filetype

from mtt.data.files.database import KINDS, read_database
from mtt.data.files.raw_frame import RawFrame, from_ase
from mtt.data.files.reader_kind import Reader
from mtt.data.files.unpack import check_size
from mtt.errors import DataError
from mtt.progress import watched
from mtt.stopping import stop_if_asked

FORMATS = (
    "extended XYZ is read under any name; other formats are known by theirs: .traj, .db, .json, "
    ".cif, .pdb, .gro, .cube, .pwo, .castep, POSCAR, OUTCAR, vasprun.xml, ... "
    "(`ase info --formats` lists them)"
)


def read(path: str) -> list[RawFrame]:
    """All frames, by the format that ASE finds.

    :raises DataError: with the number of frames that were read, and what ASE says.
    """
    frames: list[RawFrame] = []
    kind = ""
    check_size(path)
    try:
        kind = filetype(path)
        atoms_of = ase.io.iread(path, index=":", format=kind)
        if kind in KINDS and not path.endswith("aselmdb"):
            atoms_of = read_database(path, kind)
        for atoms in watched(atoms_of, f"reading {path}"):
            stop_if_asked()
            frames.append(from_ase(atoms, path, len(frames)))
    except UnknownFileTypeError as error:
        what = "neither extended XYZ nor a format that ASE knows"
        raise DataError(what, where=path, hint=FORMATS) from error
    except (DataError, MemoryError):
        raise
    except Exception as error:  # ASE's parsers raise whatever they stumble over
        of = f"{kind}; " if kind else ""
        what = f"ASE cannot read it ({of}{type(error).__name__}: {error})"
        raise DataError(what, where=f"{path}, frame {len(frames)}", hint=FORMATS) from error
    return frames


READER = Reader(read)
