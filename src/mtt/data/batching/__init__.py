"""Batches of structures: order, size in atoms, rotation, copies on the device."""
