"""What a training does about faults: skipping, rolling back, stopping."""
