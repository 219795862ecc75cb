"""Inputs of a model beside the structure: which it takes, how they come to it, and their checks."""
