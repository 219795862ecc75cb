"""The picture of a run: one HTML file with its curves, errors, worst structures and origin."""
