"""The files of a tokenizer, made into one that gives the token ids of the published code."""
