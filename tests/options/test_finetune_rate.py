"""The default learning rate of a fine-tuning, which follows its method."""

from collections.abc import Callable

import pytest

from mtt.options import Options

TEXT = """
architecture:
  name: toy
  training: {{{training}}}
training_set: {{systems: data.xyz, targets: {{energy: {{unit: eV}}}}}}
validation_set: 0.1
test_set: 0.1
"""
SOURCE = "read_from: source.ckpt"


@pytest.mark.parametrize(
    ("training", "factor"),
    [
        ("", 1.0),
        (f"finetune: {{{SOURCE}}}", 1.0),
        (f"finetune: {{{SOURCE}, method: heads}}", 10.0),
        (f"finetune: {{{SOURCE}, method: lora}}", 3.0),
        (f"finetune: {{{SOURCE}, method: replay, replay: {{data: old.xyz}}}}", 1.0),
        (f"finetune: {{{SOURCE}, method: freeze, config: {{freeze: [first]}}}}", 1.0),
        (f"optimizer: adamw, finetune: {{{SOURCE}, method: lora}}", 1.0),
        (
            f"finetune: {{{SOURCE}, method: lora}}, "
            "stages: [{num_epochs: 2}, {num_epochs: 1, optimizer: lbfgs}]",
            1.0,
        ),
        (f"finetune: {{{SOURCE}, method: lora}}, stages: [{{num_epochs: 2}}]", 3.0),
    ],
)
def test_it_is_greater_where_few_weights_are_trained(
    read: Callable[..., Options], training: str, factor: float
) -> None:
    plain = read(TEXT.format(training="")).architecture["training"]["learning_rate"]
    found = read(TEXT.format(training=training)).architecture["training"]["learning_rate"]
    assert found == pytest.approx(factor * plain)


def test_a_given_rate_is_taken_as_it_is(read: Callable[..., Options]) -> None:
    given = TEXT.format(training=f"learning_rate: 0.02, finetune: {{{SOURCE}, method: heads}}")
    assert read(given).architecture["training"]["learning_rate"] == 0.02
    method = TEXT.format(training=f"finetune: {{{SOURCE}, method: heads}}")
    over = ["architecture.training.learning_rate=0.03"]
    assert read(method, over).architecture["training"]["learning_rate"] == 0.03
