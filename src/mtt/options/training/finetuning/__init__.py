"""Parts of the fine-tuning section that have options themselves."""
