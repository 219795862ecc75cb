"""The command line: one file per command parses and calls a workflow; ``render/`` prints."""
