"""Which run is resumed, and what may differ from it."""
