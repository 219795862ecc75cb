"""Precision, determinism, random state, and numbers that are not finite."""
