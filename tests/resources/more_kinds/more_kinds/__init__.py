"""Kinds of targets that another package adds."""
