"""Architectures that are tried: each has a maintainer, and passes the conformance suite."""
