"""Physics of a model, probed without any label."""
