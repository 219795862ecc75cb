"""Labels against a model that was fitted to them: what pairs of similar structures cannot reveal."""
