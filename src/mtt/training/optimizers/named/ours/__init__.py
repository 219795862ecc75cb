"""Optimizers that are written here."""
