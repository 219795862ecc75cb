"""Build the model to fine-tune from a trained one."""
