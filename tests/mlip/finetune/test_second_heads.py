"""Names of second heads, and what they begin as."""

import pytest

from mtt.mlip.finetune.second_heads import partners, second_heads


@pytest.mark.parametrize(
    ("known", "wanted", "inherit", "heads"),
    [
        # the new labels are the user's `energy`; the old reference is a variant of it
        (["energy"], ["energy"], {}, {"energy/source": "energy"}),
        # the old name is free: nothing of it changes
        (["energy"], ["energy/xtb"], {"energy/xtb": "energy"}, {"energy": "energy"}),
        # a source that was made by a replay itself
        (["energy", "energy/source"], ["energy"], {}, {"energy/source2": "energy"}),
        (["energy/pbe"], ["energy/pbe"], {}, {"energy/source": "energy/pbe"}),
        # two new targets of one old one: the old one is kept once
        (["energy"], ["energy", "energy/b"], {"energy/b": "energy"}, {"energy/source": "energy"}),
        (["energy"], ["dipole"], {}, {}),
    ],
)
def test_the_user_keeps_the_name_and_the_old_reference_is_a_variant(known, wanted, inherit, heads):
    assert second_heads(known, wanted, inherit) == heads


def test_the_partner_is_the_target_of_the_data_that_begins_as_the_same():
    counterparts = {"energy": "energy", "energy/source": "energy"}
    assert partners(counterparts, {"energy/source": "energy"}) == {"energy/source": "energy"}
    counterparts = {"energy/xtb": "energy", "energy": "energy"}
    assert partners(counterparts, {"energy": "energy"}) == {"energy": "energy/xtb"}
