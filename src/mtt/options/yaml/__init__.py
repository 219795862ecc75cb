"""YAML in and out: the dialect, places of keys, interpolation, overrides."""
