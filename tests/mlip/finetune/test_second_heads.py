"""Names of second heads, and what they begin as."""

import pytest

from mtt.mlip.finetune.second_heads import earlier_heads, partners, second_heads


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


@pytest.mark.parametrize(
    ("known", "heads", "kept"),
    [
        (["energy", "energy/source"], {"energy/source2": "energy"}, ["energy/source"]),
        (
            ["energy", "energy/source", "energy/source2", "energy/pbe", "dipole/source"],
            {"energy/source3": "energy"},
            ["energy/source", "energy/source2"],
        ),
        (["energy", "energy/source"], {"energy": "energy"}, ["energy/source"]),
        # the data have new labels of it: it is a target as any other
        (
            ["energy", "energy/source"],
            {"energy/source2": "energy", "energy/source3": "energy/source"},
            [],
        ),
        (["energy", "energy/source"], {}, []),
    ],
)
def test_heads_of_an_earlier_replay_keep_their_names(known, heads, kept):
    assert earlier_heads(known, heads) == {name: name for name in kept}


def test_the_partner_of_an_earlier_head_is_of_the_same_quantity():
    heads = {"energy/source2": "energy", "energy/source": "energy/source"}
    counterparts = {"dipole": "dipole", "energy": "energy", **heads}
    assert partners(counterparts, heads) == dict.fromkeys(heads, "energy")
