"""The stored schema and defaults are those that the definitions give."""

from importlib.resources import files

import pytest

from mtt.training.stored_options import contents


@pytest.mark.parametrize(("name", "text"), contents().items())
def test_the_stored_files_are_generated(name, text):
    stored = (files("mtt.training") / name).read_text(encoding="utf-8")
    assert stored == text, "python -m mtt.training.stored_options writes it"
