"""Addresses: what is one, its parts, and what of it may be shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtt.errors import CheckpointError
from mtt.fetching import is_address, shown
from mtt.fetching.address import Address, HubFile, file_name, hub_url, parse, parse_hub

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.org/model.ckpt", True),
        ("hf://owner/repo/model.ckpt", True),
        ("s3://bucket/model.ckpt", True),
        ("model.ckpt", False),
        ("runs/https:/model.ckpt", False),
        ("/data/a://b.ckpt", False),
        (Path("model.ckpt"), False),
    ],
)
def test_an_address_is_not_taken_for_a_path(text: object, expected: bool) -> None:
    assert is_address(text) is expected


def test_a_checksum_ends_an_address() -> None:
    url = "https://example.org/model.ckpt"
    assert parse(url) == Address(url)
    assert parse(f"{url}#sha256={DIGEST.upper()}") == Address(url, DIGEST)
    with pytest.raises(CheckpointError, match=r"#sha256= is followed by 'ab12', not by 64 hex"):
        parse(f"{url}#sha256=ab12")


def test_an_address_is_written_as_servers_want_it() -> None:
    assert parse("https://example.org/my mödel.ckpt#top").url == (
        "https://example.org/my%20m%C3%B6del.ckpt"
    )
    assert parse("https://example.org/a%20b.ckpt?x=1&y=2").url == (
        "https://example.org/a%20b.ckpt?x=1&y=2"
    )


def test_the_page_of_a_file_on_the_hub_is_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    page = "https://huggingface.co/owner/repo/blob/main/models/a.ckpt"
    assert parse(page).url == page.replace("/blob/", "/resolve/")
    other = "https://example.org/owner/repo/blob/main/a.ckpt"
    assert parse(other).url == other


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://", "names no file on a server"),
        ("https://example.org/", "names no file on a server"),
        ("https://example.org:port/a.ckpt", "is not an address: Port"),
        ("https://me:secret@example.org/a.ckpt", "holds a user or a password.*--token"),
        ("hf://owner/repo", "does not name a file on the Hugging Face hub; write hf://OWNER"),
        ("hf://a.ckpt", "does not name a file on the Hugging Face hub"),
    ],
)
def test_an_address_without_a_part_is_refused(text: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as error:
        parse(text)
    assert "secret" not in str(error.value)


def test_files_of_the_hub_have_a_repository_a_name_and_a_revision() -> None:
    assert parse_hub("hf://owner/repo/models/a.ckpt") == HubFile("owner/repo", "models/a.ckpt")
    one = HubFile("owner/repo", "a.ckpt", "v1.0")
    assert parse_hub("hf://owner/repo@v1.0/a.ckpt") == one
    assert parse_hub(hub_url(one.repo, one.file, one.revision)) == one


def test_what_may_be_secret_is_not_shown() -> None:
    url = "https://me:secret@example.org/a.ckpt?signature=secret#secret"
    assert shown(url) == "https://example.org/a.ckpt"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/files/pet%20mad.ckpt?download=1", "pet_mad.ckpt"),
        ("https://example.org/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "passwd"),
        ("https://example.org/..", "model"),
        ("https://example.org/.hidden.ckpt", "hidden.ckpt"),
        (f"https://example.org/{'a' * 500}.ckpt", f"{'a' * 123}.ckpt"),
    ],
)
def test_a_download_has_a_name_that_is_safe_on_a_disk(url: str, name: str) -> None:
    assert file_name(url) == name
