"""Which products are features follows from the options alone."""

from mtt.experimental.linear_ace.products import choose_products


def test_there_are_as_many_features_as_asked_for_and_each_once() -> None:
    chosen = choose_products([6, 5, 4], 150, 4)
    assert chosen.n_features == 150
    for one in chosen.contractions:
        pairs = list(zip(one.first, one.second, strict=True))
        assert len(set(pairs)) == len(pairs)
        n_vectors = len(one.coupled) + (0 if one.odd else chosen.channels[one.l])
        assert max(map(max, pairs)) < n_vectors
        assert len(set(one.coupled)) == len(one.coupled)


def test_where_there_are_fewer_products_all_are_taken() -> None:
    few = choose_products([2, 1], 1000, 2)
    # two of one density; three of l = 0 and one of l = 1
    assert (few.single, few.n_features) == (2, 6)
    assert choose_products([2, 1], 3, 1).n_features == 2


def test_a_higher_order_adds_products_and_pseudotensors_come_in_pairs() -> None:
    found = choose_products([4, 4, 4], 400, 4)
    odd = [one for one in found.contractions if one.odd]
    assert odd
    assert all((v.l1 + v.l2 + v.l) % 2 for one in odd for v in one.coupled)
    assert not any(one.odd for one in choose_products([4, 4, 4], 400, 2).contractions)
