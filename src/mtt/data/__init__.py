"""Files to data sets to batches."""
