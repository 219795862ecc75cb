"""Listeners, and those that fail."""

import logging

from mtt.training.reporting.events import Events


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


def test_the_row_of_an_epoch_is_sent_part_by_part():
    seen = []
    events = Events([lambda *event: seen.append(event)])
    row = {"epoch": 2, "training loss": 0.5, "validation loss": 1.0, "validation bulk loss": 2.0}
    units = dict.fromkeys(row, "")
    events.measured(2, row, units, {"seconds": 3.0}, {"seconds": "s"})
    assert [(category, epoch) for category, _, epoch in seen] == [
        ("train", 2), ("validation", 2), ("system", 2),
    ]  # fmt: skip
    assert [dict(values["metrics"]) for _, values, _ in seen] == [
        {"loss": 0.5},
        {"loss": 1.0, "bulk loss": 2.0},
        {"seconds": 3.0},
    ]
    assert seen[2][1]["units"] == {"seconds": "s"}


def test_events_pass_events_on(caplog):
    def broken(category, values, epoch):
        raise RuntimeError("no display")

    seen = []
    inner = Events([broken, lambda *event: seen.append(event)])
    Events([inner.notify])("epoch", 1, metrics={})
    Events([inner.notify])("epoch", 2, metrics={})
    assert [(category, epoch) for category, _, epoch in seen] == [("epoch", 1), ("epoch", 2)]
    assert len(caplog.records) == 1  # switched off where it stands


def test_every_listener_is_closed_even_where_one_fails(caplog):
    closed = []

    class Closing:
        def __init__(self, name):
            self.name = name

        def __call__(self, category, values, epoch):
            raise RuntimeError("no display")  # switched off, and closed all the same

        def close(self):
            closed.append(self.name)
            if self.name == "first":
                raise OSError("the disk is full")

    events = Events([Closing("first"), lambda *event: None, Closing("second")])
    events("epoch", 1)
    events.close()
    assert closed == ["first", "second"]
    assert "Closing could not be closed (OSError: the disk is full)" in caplog.text


def test_an_attached_logger_gets_every_event_once(make_trainer, make_model, train):
    seen = []
    trainer = make_trainer(num_epochs=1, batch_size=16)
    trainer.attach_logger(lambda category, values, epoch: seen.append((category, epoch)))
    other = []
    trainer.attach_logger(lambda category, values, epoch: other.append((category, epoch)))
    train(trainer, make_model())
    assert seen == other
    told = [event for event in seen if event[0] not in ("train", "validation", "system")]
    assert told == [
        ("run_start", 0), ("progress", 1), ("checkpoint", 1), ("best", 1), ("epoch", 1),
        ("checkpoint", 1), ("checkpoint", 1), ("end", 1),  # best.ckpt once more, and last.ckpt
    ]  # fmt: skip


def test_a_finished_file_goes_to_the_listeners_that_keep_files(tmp_path, caplog):
    class Keeper:
        def __init__(self, broken=False):
            self.broken, self.files = broken, []

        def __call__(self, category, values, epoch):
            pass

        def keep_file(self, path):
            if self.broken:
                raise OSError("disk full")
            self.files.append(path)

    broken, keeper = Keeper(broken=True), Keeper()
    events = Events([lambda category, values, epoch: None, broken, keeper])
    events.keep_file(tmp_path / "report.html")
    events.keep_file(tmp_path / "model.pt")
    assert keeper.files == [tmp_path / "report.html", tmp_path / "model.pt"]
    assert caplog.text.count("report.html (OSError: disk full); it is switched off") == 1
    assert "model.pt" not in caplog.text
