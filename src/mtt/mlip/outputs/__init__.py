"""Outputs of an exported model in addition to its targets."""
