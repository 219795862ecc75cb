"""Validation, and the best epoch."""
