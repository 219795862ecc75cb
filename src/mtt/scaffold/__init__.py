"""Writes a new architecture folder that trains at once, for its author to change."""

from mtt.scaffold.copy_template import FILES, write_architecture

__all__ = ["FILES", "write_architecture"]
