"""What is added to the network, physics first: composition energies, ZBL repulsion, a prior."""
