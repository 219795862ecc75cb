"""Optimizers of torch."""
