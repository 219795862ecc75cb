"""Zip files made wrong at random, and their members with right checksums; see `mutations.py`."""

from __future__ import annotations

import io
import pickletools
import re
import warnings
import zipfile
from random import Random

from mutations import SENTINEL, mutate_bytes, mutate_json

_CODE = b"cos\nsystem\n(S'touch %s'\ntR" % SENTINEL.encode()
_PICKLES = (
    _CODE,
    b"cbuiltins\nexec\n(S'open(%a, \"w\")'\ntR" % SENTINEL,
    b"\x8c\x02os\x8c\x06system\x93\x8c\x17touch the-file-ran-code\x85R",
    b"cposix\nsystem\n",
    b"ctorch\nload\n",
    b"]q\x01h\x01a",  # a list that holds itself
    b"(" * 50,
    b"]" * 5000 + b"a" * 4999,
    b"\x8a\xff" + b"\x7f" * 255,
    b"}q\xf0(h\xf0h\xf0u",
    b"G\x7f\xf8\x00\x00\x00\x00\x00\x00",
)


def mutate_pickle(rng: Random, data: bytes) -> bytes:
    """One to three opcodes of a pickle taken out, doubled, changed, or code put between them."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        try:
            starts = [place for _, _, place in pickletools.genops(data) if place is not None]
        except ValueError:  # an earlier change
            return mutate_bytes(rng, data)
        i = rng.randrange(1, len(starts)) if len(starts) > 1 else 0
        start, end = starts[i], [*starts[i + 1 :], len(data)][0]
        code = data[start:end]
        new = rng.choice(
            (
                b"",
                code * 2,
                code + rng.choice(_PICKLES),
                rng.choice(_PICKLES) + b"." if rng.randrange(3) == 0 else rng.choice(_PICKLES),
                _argument(rng, code),
                _argument(rng, code),
            )
        )
        data = data[:start] + new + data[end:]
    return data


def _argument(rng: Random, code: bytes) -> bytes:
    """The same opcode with another number or text: sizes, strides, offsets, dtypes, keys."""
    if code[:1] in b"KMJ\x8aG":
        number = rng.choice((0, 1, -1, 2**31 - 1, -(2**31), 10**6, rng.randrange(1000)))
        if rng.randrange(4) == 0:
            return b"\x8a\x08" + rng.choice((2**62, -(2**62), 10**12)).to_bytes(
                8, "little", signed=True
            )
        return b"J" + number.to_bytes(4, "little", signed=True)
    if code[:1] == b"c":
        names = (b"torch\nDoubleStorage", b"torch\nBoolStorage", b"torch._utils\n_rebuild_tensor")
        names += (b"torch.nn.parameter\nParameter", b"torch._utils\n_rebuild_sparse_tensor")
        names += (b"torch\nfloat8_e4m3fn", b"torch\nSize", b"collections\nOrderedDict")
        return b"c" + rng.choice(names) + b"\n"
    return mutate_bytes(rng, code)


def mutate_zip(rng: Random, data: bytes) -> bytes:
    """A zip file changed as it stands, or its members and then signed with right checksums."""
    if rng.randrange(3) == 0:
        return _fields(rng, data) if rng.randrange(2) else mutate_bytes(rng, data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    i = rng.randrange(len(members))
    kind = rng.randrange(10)
    if kind < 6:  # the member that says what all the others are
        texts = (".pkl", ".json")
        i = next(k for k, (name, _) in enumerate(members) if name.endswith(texts))
        name, content = members[i]
        change = mutate_pickle if name.endswith(".pkl") else mutate_json
        members[i] = (name, change(rng, content))
    elif kind == 6:
        members[i] = (members[i][0], mutate_bytes(rng, members[i][1]))
    elif kind == 7:
        folder = members[i][0].partition("/")[0]
        names = (
            "../x",
            "/etc/x",
            "model.json",
            f"{folder}/constants.pkl",
            "x\x00y",
            "é",
            "a" * 9999,
        )
        members[i] = (rng.choice((*names, rng.choice(members)[0])), members[i][1])
    elif kind == 8:
        del members[i]
    else:
        members.insert(rng.randrange(len(members)), members[i])
    method = zipfile.ZIP_DEFLATED if rng.randrange(6) == 0 else zipfile.ZIP_STORED
    return signed(members, method)


def signed(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip file of ``members``, with the checksums that belong to them."""
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", method) as archive:
        warnings.simplefilter("ignore")  # names that stand there twice
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def _fields(rng: Random, data: bytes) -> bytes:
    """One field of a local header, of the central directory or of its end."""
    heads = {b"PK\x03\x04": 30, b"PK\x01\x02": 46, b"PK\x05\x06": 22}
    found = [m.start() for m in re.finditer(b"PK(\x03\x04|\x01\x02|\x05\x06)", data)]
    start = rng.choice(found)
    offset = rng.randrange(4, heads[data[start : start + 4]] - 1, 2)
    size = rng.choice((2, 4))
    value = rng.choice((0, 1, 8, 99, 2**16 - 1, 2**31, 2**32 - 1, rng.getrandbits(32)))
    at = start + offset
    return data[:at] + (value % 2 ** (8 * size)).to_bytes(size, "little") + data[at + size :]
