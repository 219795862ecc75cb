"""Options of the training section: defaults, schema, named choices, parameter names."""
