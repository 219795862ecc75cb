"""Mutated files are read, or refused by name; `benchmarks/fuzz.py` tries more of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

N_FILES = 80
KINDS = (
    *("options", "eval options", "extxyz", "compressed extxyz", "checkpoint", "archive"),
    *("exported model", "store: description", "store: array"),
)


@pytest.fixture(scope="module")
def fuzz(root: Path) -> Iterator[ModuleType]:
    """The program that tries more of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root / "benchmarks"))
        import fuzz

        yield fuzz


def test_every_kind_of_file_is_tried(fuzz: ModuleType) -> None:
    assert tuple(fuzz.KINDS) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_mutated_file_is_read_or_refused_by_name(
    fuzz: ModuleType, kind: str, record_property: Callable[[str, object], None]
) -> None:
    """No hang, no foreign exception, no code that runs, no message without the file's name."""
    fuzzer = fuzz.Fuzzer(Path.cwd())  # where a payload would make its file
    refused = []

    @settings(max_examples=N_FILES, derandomize=True, deadline=None)
    @given(number=st.integers(0, 2**31))
    def try_one(number: int) -> None:
        refused.append(fuzzer.trial(kind, number))

    try_one()
    assert any(refused), "mutations that change nothing prove nothing"
    record_property(f"mutated files tried, {kind}", len(refused))
