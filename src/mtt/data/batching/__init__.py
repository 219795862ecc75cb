"""Batches of structures: order, size in atoms, rotation, the way to the device."""
