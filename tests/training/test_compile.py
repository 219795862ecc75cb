"""``compile: true`` trains the same model, whatever else is asked for."""

import pytest
import torch
import torch._inductor.config

from mtt import DatasetInfo, TargetInfo
from mtt.checkpoint import read
from mtt.errors import ConfigError
from mtt.training import TrainingInterrupted

needs_compiler = [
    pytest.mark.usefixtures("cpp_compiler"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
RUN = {"num_epochs": 3, "checkpoint_interval": 1, "gradient_accumulation": 2, "ema": True}


def weights(path):
    return read(path / "last.ckpt")["model_state_dict"]


class TestWithACompiler:
    pytestmark = needs_compiler

    def test_the_same_is_learnt(self, make_model, make_trainer, train, tmp_path):
        for name in ("plain", "compiled"):
            trainer = make_trainer(compile=name == "compiled", **RUN)
            train(trainer, make_model(), checkpoints=tmp_path / name)
        plain, compiled = weights(tmp_path / "plain"), weights(tmp_path / "compiled")
        torch.testing.assert_close(compiled, plain, rtol=1e-7, atol=1e-9)
        # the control: something else was computed, which rounds differently
        assert any(not torch.equal(compiled[key], plain[key]) for key in plain)

    def test_a_stopped_run_resumes_bit_for_bit(
        self, assert_equal, make_model, make_trainer, train, restart, terminate, tmp_path
    ):
        options = {"compile": True, **RUN}
        train(make_trainer(**options), make_model(), checkpoints=tmp_path / "straight")
        folder = tmp_path / "stopped"
        with pytest.raises(TrainingInterrupted):
            stopped = make_trainer(listeners=[terminate(2, 2)], **options)
            train(stopped, make_model(), checkpoints=folder)
        model, resumed = restart(folder / "last.ckpt", make_trainer(**options))
        train(resumed, model, checkpoints=folder)
        assert_equal(weights(folder), weights(tmp_path / "straight"))


@pytest.mark.usefixtures("cpp_compiler")
def test_a_training_on_energies_alone_has_nothing_to_compile(
    make_model, make_trainer, train, tmp_path
):
    info = DatasetInfo("angstrom", (1, 6), {"energy": TargetInfo.energy()})
    for name in ("plain", "compiled"):
        trainer = make_trainer(compile=name == "compiled", num_epochs=1)
        train(trainer, make_model(info=info), checkpoints=tmp_path / name)
    plain, compiled = weights(tmp_path / "plain"), weights(tmp_path / "compiled")
    assert all(torch.equal(compiled[key], plain[key]) for key in plain)


@pytest.mark.parametrize(
    ("technique", "why"),
    [
        ({"amp": "bf16"}, "mixed precision cannot be compiled"),
        ({"gradient_combination": "config"}, "compiled can be differentiated once"),
    ],
)
def test_what_cannot_be_compiled_is_refused(make_trainer, technique, why):
    with pytest.raises(ConfigError, match=rf"training.compile: .*{why}"):
        make_trainer(compile=True, **technique)


def test_a_missing_compiler_is_reported(make_model, make_trainer, check):
    nowhere = torch._inductor.config.patch({"cpp.cxx": ("there-is-no-such-compiler",)})
    with nowhere, pytest.raises(ConfigError, match=r"there is no C\+\+ compiler.*install g\+\+"):
        check(make_trainer(compile=True), make_model())
