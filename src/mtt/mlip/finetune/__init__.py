"""From a trained model to the one that is fine-tuned."""
