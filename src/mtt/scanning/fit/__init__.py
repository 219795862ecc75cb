"""Labels against a model that was fitted to them: it reveals what pairs of structures cannot."""
