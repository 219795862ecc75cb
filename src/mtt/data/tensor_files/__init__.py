"""Labels that metatensor's ``.mts`` files hold: one ``TensorMap`` for each target."""
