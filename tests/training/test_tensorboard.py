"""Event files, read back as TensorBoard reads them."""

import io

import pytest
from PIL import Image

from mtt.evaluation.report import Report, Row, Timing
from mtt.training.reporting.loggers.tensorboard import TensorBoardLogger

UNITS = {"epoch": "", "learning rate": "", "training loss": "", "validation forces RMSE": "eV/Å"}
LOSS, FORCES = "training/loss", "validation/forces RMSE [eV/Å]"


def row(epoch, loss):
    return dict(zip(UNITS, (epoch, 1e-3, loss, 2 * loss), strict=True))


def run(folder, epochs, history=(), close=True):
    """Log ``epochs`` (number to loss) of a run that began with ``history``."""
    logger = TensorBoardLogger(folder, "seed: 1\nremote: null\n")
    logger("run_start", {"history": history, "units": UNITS}, len(history))
    for number, loss in epochs.items():
        logger("system", {"metrics": {"seconds": 1.0, "memory": 7.0}, "units": {}}, number)
        values = {"metrics": row(number, loss), "units": UNITS, "is_best": False}
        logger("epoch", values, number)
    if close:
        logger.close()
    return logger


def _loader():
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    return lambda folder: accumulator.EventAccumulator(str(folder)).Reload()


@pytest.fixture
def read_images():
    """All that a folder holds."""
    return _loader()


@pytest.fixture
def read():
    """The curves of a folder, tag to ``[(epoch, value)]``, and its texts."""
    load = _loader()

    def read(folder):
        events = load(folder)
        curves = {
            tag: [(one.step, one.value) for one in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]
        }
        texts = {
            tag: events.Tensors(tag)[0].tensor_proto.string_val[0]
            for tag in events.Tags()["tensors"]
        }
        return curves, texts

    return read


def test_curves_have_units_and_epochs_and_the_options_are_stored_with_them(tmp_path, read):
    logger = run(tmp_path, {1: 0.5, 2: 0.25}, close=False)
    logger("test", {"metrics": {"energy RMSE": 3.0}, "units": {"energy RMSE": "meV"}}, 2)
    logger.close()
    logger.close()  # once more does no harm
    curves, texts = read(tmp_path)
    assert curves[LOSS] == [(1, 0.5), (2, 0.25)]
    assert curves[FORCES] == [(1, 1.0), (2, 0.5)]
    assert curves["system/memory"] == [(1, 7.0), (2, 7.0)]
    assert curves["test/energy RMSE [meV]"] == [(2, 3.0)]
    assert b"    remote: null" in texts["options/text_summary"]


def test_figures_and_tables_of_errors_are_shown_at_the_last_epoch(tmp_path, read_images):
    picture = tmp_path / "parity-forces.png"
    Image.new("RGB", (40, 30), (10, 20, 30)).save(picture)
    logger = run(tmp_path / "events", {1: 0.5, 2: 0.25}, close=False)
    row = Row("forces", 3.0, 2.0, "meV/Å", 1200)
    report = Report({}, (row,), Timing(1.0, 1, 1))
    logger("evaluation", {"part": "test", "dataset": "the test set", "report": report}, 2)
    logger.keep_figure(picture)
    logger.close()
    logger.keep_figure(picture)  # after the end: nothing to write to
    events = read_images(tmp_path / "events")
    (shown,) = events.Images("report/parity-forces")
    assert (shown.step, shown.width, shown.height) == (2, 40, 30)
    with Image.open(io.BytesIO(shown.encoded_image_string)) as stored:
        assert stored.convert("RGB").getpixel((5, 5)) == (10, 20, 30)
    (table,) = events.Tensors("errors/test/text_summary")
    assert "| forces | 3 | 2 | meV/Å | 1,200 |" in table.tensor_proto.string_val[0].decode()


def test_a_restarted_run_continues_its_curves_without_an_epoch_twice(tmp_path, read):
    run(tmp_path, {1: 0.5, 2: 0.25, 3: 9.0})  # killed in epoch 3, whose checkpoint is missing
    run(tmp_path, {3: 0.125, 4: 0.0625}, history=(row(1, 0.5), row(2, 0.25)))
    assert read(tmp_path)[0][LOSS] == [(1, 0.5), (2, 0.25), (3, 0.125), (4, 0.0625)]


def test_a_new_folder_gets_the_epochs_before_a_restart(tmp_path, read):
    run(tmp_path, {3: 0.125}, history=(row(1, 0.5), row(2, 0.25)))
    assert read(tmp_path)[0][LOSS] == [(1, 0.5), (2, 0.25), (3, 0.125)]
