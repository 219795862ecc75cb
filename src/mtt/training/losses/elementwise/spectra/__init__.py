"""Losses of whole spectra, which look at all points of a grid together."""
