"""Builds the tokenizer of a checkpoint from its files, with the token ids of the published code."""
