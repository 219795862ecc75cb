"""What only a report of several runs shows."""
