"""Commands take URLs, and ``OWNER/REPO FILE`` of the Hugging Face hub."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtt.checkpoint import read

Mtt = Callable[..., Any]


@pytest.fixture
def theirs(metatrain_format: SimpleNamespace) -> bytes:
    """A checkpoint in the format of metatrain's PET."""
    content = metatrain_format.content(metatrain_format.model())
    path = metatrain_format.write(Path("theirs.ckpt"), content)
    body = Path(path).read_bytes()
    Path("theirs.ckpt").unlink()
    return body


def test_a_private_file_is_imported_with_a_token_and_its_checksum_is_printed(
    web: Any, theirs: bytes, mtt: Mtt, refused: Callable[..., str]
) -> None:
    url = web.private("/theirs.ckpt", theirs, "hidden")
    Path("cache/mtt/models").mkdir(parents=True)  # the first download makes it
    assert "--token TOKEN" in refused("import", url)
    digest = hashlib.sha256(theirs).hexdigest()
    done = mtt("import", f"{url}?x=hidden", "--token", "hidden", "--sha256", digest)
    assert (done.code, done.err) == (0, "")
    assert f"{url}: downloaded, {len(theirs):,} bytes; SHA-256 {digest}" in done.out
    assert "wrote theirs-imported.ckpt" in done.out
    assert "hidden" not in done.out + str(read("theirs-imported.ckpt")["provenance"])
    assert "which is demanded" in refused("show", url, "--token", "hidden", "--sha256", "0" * 64)


def test_a_private_model_is_evaluated_with_a_token(
    web: Any, theirs: bytes, mtt: Mtt, refused: Callable[..., str]
) -> None:
    url = web.private("/theirs.ckpt", theirs, "hidden")
    systems = "systems: {read_from: one.xyz, length_unit: angstrom}"
    Path("eval.yaml").write_text(systems)
    Path("one.xyz").write_text("3\n\nO 0 0 0\nH 0 0 1\nH 0 1 0\n")
    Path("cache/mtt/models").mkdir(parents=True)  # the first download makes it
    assert "--token TOKEN" in refused("eval", url, "eval.yaml")
    words = ("eval", url, "eval.yaml", "--token", "hidden", "--sha256", "0" * 64)
    assert "which is demanded" in refused(*words)
    done = mtt("eval", url, "eval.yaml", "--token", "hidden")
    assert (done.code, done.err) == (0, "")
    assert Path("output.xyz").exists()
    assert "hidden" not in done.out


def test_a_repository_and_a_file_are_taken_as_by_metatrain(
    web: Any, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for words in (("import",), ("export", "-b", "v1"), ("export", "--revision", "v1")):
        message = refused(*words, "owner/repo", "models/a.ckpt")
        revision = "@v1" if len(words) > 1 else ""
        assert f"hf://owner/repo{revision}/models/a.ckpt: this needs the package" in message
        assert "pip install 'mtt[hub]'" in message


def test_a_training_is_not_resumed_from_an_address(
    web: Any, tiny: dict[str, Any], write: Callable[..., Path], refused: Callable[..., str]
) -> None:
    write(tiny)
    message = refused("train", "options.yaml", "--restart", web.url + "/a.ckpt?x=hidden")
    assert f"{web.url}/a.ckpt: a training is resumed from a file of its run, not from an" in message
    assert web.requests == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("a.ckpt", "b.ckpt"), "give one file, one URL, or OWNER/REPO and FILE"),
        (("models/a.ckpt", "b.ckpt"), "give one file, one URL, or OWNER/REPO and FILE"),
        (("owner/repo", "a", "b"), "give one file, one URL, or OWNER/REPO and FILE"),
        (("https://example.org/a.ckpt", "b"), "give one file, one URL, or OWNER/REPO and FILE"),
        (
            ("owner/repo",),
            "owner/repo: no such file; for a repository on the Hugging Face hub, give",
        ),
        (("a.ckpt", "--revision", "v1"), "--revision belongs to OWNER/REPO FILE; in an address"),
        (("a.ckpt", "--sha256", "ab"), "--sha256 belongs to a URL; sha256sum FILE"),
    ],
)
@pytest.mark.parametrize("command", ["import", "export"])
def test_words_that_name_no_file_are_wrong_usage(
    mtt: Mtt, command: str, words: tuple[str, ...], message: str
) -> None:
    Path("models").mkdir()
    Path("models/a.ckpt").touch()
    done = mtt(command, *words)
    assert done.code == 2
    assert message in done.err
