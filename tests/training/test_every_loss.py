"""Every loss of the code is an option, described, tested and in the manual."""

import re

import pytest

from mtt.options.loss_forms import TYPES
from mtt.training import training_schema
from mtt.training.losses.loss import ELEMENTWISE


@pytest.mark.parametrize("kind", sorted({*ELEMENTWISE, *TYPES}))
def test_every_loss_is_an_option_with_a_description_a_formula_and_a_place_in_the_manual(kind, root):
    assert kind in ELEMENTWISE, "options take it, and no loss is called like it"
    assert kind in TYPES, "options refuse it"
    # whose test takes all of ELEMENTWISE, and knows the formulas of these
    formulas = (root / "tests" / "training" / "losses" / "test_loss.py").read_text(encoding="utf-8")
    (body,) = re.findall(r"^def elementwise\(.*?(?=^def )", formulas, re.MULTILINE | re.DOTALL)
    assert f'"{kind}' in body, "test_loss.py does not know its formula"
    described = training_schema()["properties"]["loss"]["description"]
    assert re.search(rf"\b{kind}\b", described), "schema-hypers.json does not describe it"
    manual = (root / "docs" / "src" / "losses.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `{kind}` \|", manual, re.MULTILINE), "losses.md has no line for it"
    options = (root / "docs" / "src" / "options.md").read_text(encoding="utf-8")
    assert f"`{kind}`" in options, "options.md does not name it"
