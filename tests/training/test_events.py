"""Listeners, and those that fail."""

import logging

from mtt.training.events import Events


def test_every_listener_gets_category_values_and_epoch_once():
    seen, other = [], []
    events = Events([lambda *event: seen.append(event), lambda *event: other.append(event)])
    events("epoch", 3, metrics={"loss": 1.0})
    assert [(c, dict(v), e) for c, v, e in seen] == [("epoch", {"metrics": {"loss": 1.0}}, 3)]
    assert seen == other


def test_a_listener_that_raises_is_reported_and_switched_off(caplog):
    calls, others = [], []

    def broken(category, values, epoch):
        calls.append(category)
        raise RuntimeError("no display")

    events = Events([broken, lambda category, values, epoch: others.append(category)])
    with caplog.at_level(logging.ERROR):
        events("run_start", 0)
        events("epoch", 1)
    assert calls == ["run_start"]
    assert others == ["run_start", "epoch"]
    assert "broken failed at event 'run_start'" in caplog.text
    assert "RuntimeError: no display" in caplog.text
    assert "switched off" in caplog.text
    assert len(caplog.records) == 1
