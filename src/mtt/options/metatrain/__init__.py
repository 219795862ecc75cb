"""What only metatrain's options files need: short forms, older spellings, known names."""
