"""The picture of the accuracy shows the kept results."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Import = Callable[[str], ModuleType]


@pytest.fixture
def picture(module: Import) -> ModuleType:
    return module("picture")


def test_the_committed_picture_holds_the_points_of_the_results(
    picture: ModuleType, root: Path
) -> None:
    drawn = html.unescape((root / "docs/src/_static/accuracy.svg").read_text(encoding="utf-8"))
    assert picture.description() in " ".join(drawn.split())


def test_every_line_has_a_point_for_one_ten_and_sixty_minutes(picture: ModuleType) -> None:
    assert [len(picture.points(line)) for line in picture.LINES] == [3] * len(picture.LINES)


def test_the_same_results_make_the_same_file(picture: ModuleType, tmp_path: Path) -> None:
    paths = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for path in paths:
        picture.draw(path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
