"""Long work says how far it is to who watches."""

from mtt import progress
from mtt.data import read_dataset
from mtt.options import load_eval_options


class Watcher:
    def __init__(self):
        self.seen = []

    def __call__(self, work, count, share):
        self.seen.append((work, count, share))

    def over(self, work):
        self.seen.append((work, "over"))


def test_reading_and_neighbour_lists_report_their_share(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    frame = "2\nProperties=species:S:1:pos:R:3 energy=1.0\nH 0 0 0\nH 0 0 0.8\n"
    (tmp_path / "h2.xyz").write_text(frame * 3)
    monkeypatch.chdir(tmp_path)
    options = {"systems": "h2.xyz", "targets": {"energy": {"forces": False, "stress": False}}}
    watcher = Watcher()
    with progress.watching(watcher):
        dataset = read_dataset(load_eval_options(options)[0])
        dataset.pairs(2.0)
    reading, lists = "reading h2.xyz", "neighbour lists within 2"
    assert [one[:2] for one in watcher.seen] == [
        *((reading, i) for i in range(3)),
        (reading, "over"),
        *((lists, i) for i in range(3)),
        (lists, "over"),
    ]
    assert all(0 < one[2] <= 1 for one in watcher.seen[:3])
    assert [one[2] for one in watcher.seen[4:7]] == [0, 1 / 3, 2 / 3]


def test_steps_within_the_interval_are_not_reported_and_nothing_is_without_a_watcher():
    watcher = Watcher()
    assert list(progress.watched(range(3), "unwatched")) == [0, 1, 2]
    with progress.watching(watcher):
        assert list(progress.watched(range(1000), "counting")) == list(range(1000))
    assert watcher.seen[0] == ("counting", 0, None)
    assert watcher.seen[-1] == ("counting", "over")
    assert len(watcher.seen) < 100


def test_work_without_steps_begins_ends_and_has_a_line_where_it_is_long(monkeypatch, caplog):
    watcher, now = Watcher(), [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with caplog.at_level("INFO"), progress.watching(watcher):
        for seconds in (9.0, 42.0):
            with progress.working("compiling"):
                now[0] += seconds
    assert watcher.seen == [("compiling", 0, None), ("compiling", "over")] * 2
    assert caplog.messages == ["compiling took 42 s"]
