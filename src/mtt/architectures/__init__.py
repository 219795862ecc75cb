"""Architectures that come with mtt; each is a folder, found by being there."""
