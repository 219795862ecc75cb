"""The largest batch that fits into memory."""
