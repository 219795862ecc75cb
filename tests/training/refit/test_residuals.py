"""Labels minus predictions of a whole data set."""

import torch

from mtt.data import Batching, Dataset, Loader
from mtt.ranks import SerialRanks
from mtt.training.refit.residuals import residuals


def loader_of(dataset, model, size):
    return Loader(
        dataset,
        model.dataset_info.atomic_types,
        cutoff=model.list_cutoff(),
        dtype=model.dtype,
        batching=Batching(structures=size),
        shuffle=False,
    )


def test_they_are_labels_minus_predictions_of_every_structure_in_batches_of_any_size(
    make_model, dataset, make_batch
):
    model = make_model().to(torch.float64)
    model.fit_baselines(dataset, {})
    part = dataset.select([7, 2, 11, 5])
    batch = make_batch(part, model.eval())
    expected = batch.targets["energy"].values - model.predict_targets(batch.graph)["energy"].values
    info = model.dataset_info
    model.train()
    for size in (1, 3, 4):
        found = residuals(
            model,
            loader_of(part, model, size),
            ["energy"],
            interrupted=lambda: None,
            ranks=SerialRanks(),
        )["energy"]
        torch.testing.assert_close(found, expected.detach(), rtol=0, atol=1e-11)
        assert not found.requires_grad
    assert model.dataset_info is info
    assert model.training


def test_a_structure_without_a_label_has_none(make_model, frames, dataset):
    labels = frames[0].labels["energy"]
    missing = labels._replace(values=labels.values * float("nan"))
    without = frames[0]._replace(labels={"energy": missing})
    data = Dataset.from_frames([without, frames[1]], dataset.info)
    model = make_model().to(torch.float64)
    found = residuals(
        model, loader_of(data, model, 2), ["energy"], interrupted=lambda: None, ranks=SerialRanks()
    )
    assert found["energy"].isnan().tolist() == [[True], [False]]
