"""Tests of labels: energies, forces, stresses."""
