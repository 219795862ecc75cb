"""Which parameters train: names, frozen parts, low-rank corrections, hooks."""
