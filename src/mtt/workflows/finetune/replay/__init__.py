"""Structures of the source's kind: chosen, labelled, learned or measured."""
