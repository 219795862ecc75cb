"""Event files, read back as TensorBoard reads them."""

import pytest

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


@pytest.fixture
def read():
    """The curves of a folder, tag to ``[(epoch, value)]``, and its texts."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    def read(folder):
        events = accumulator.EventAccumulator(str(folder)).Reload()
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


def test_a_restarted_run_continues_its_curves_without_an_epoch_twice(tmp_path, read):
    run(tmp_path, {1: 0.5, 2: 0.25, 3: 9.0})  # killed in epoch 3, whose checkpoint is missing
    run(tmp_path, {3: 0.125, 4: 0.0625}, history=(row(1, 0.5), row(2, 0.25)))
    assert read(tmp_path)[0][LOSS] == [(1, 0.5), (2, 0.25), (3, 0.125), (4, 0.0625)]


def test_a_new_folder_gets_the_epochs_before_a_restart(tmp_path, read):
    run(tmp_path, {3: 0.125}, history=(row(1, 0.5), row(2, 0.25)))
    assert read(tmp_path)[0][LOSS] == [(1, 0.5), (2, 0.25), (3, 0.125)]
