"""The parts of a training run: data sets, folder, device, provenance, copies."""
