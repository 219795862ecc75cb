"""JSON Schema: validation with plain words, option tables, the vocabulary of the schemas."""
