"""Spherical tensors of several degrees, radial channels and elements: what their blocks are."""
