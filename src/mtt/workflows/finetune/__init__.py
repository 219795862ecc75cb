"""What a fine-tuning starts from: its source against the labels."""
