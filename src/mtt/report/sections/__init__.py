"""Sections of a report, from its summary to its options."""
