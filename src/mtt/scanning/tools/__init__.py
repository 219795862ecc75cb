"""What the tests of a data scan share: structures, forces, steps, regression, findings."""
