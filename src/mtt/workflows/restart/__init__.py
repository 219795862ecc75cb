"""The run that is resumed, and the options that may differ from it."""
