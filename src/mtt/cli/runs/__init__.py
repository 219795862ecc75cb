"""Commands about runs: list, compare, report, and train several on more and more data."""
