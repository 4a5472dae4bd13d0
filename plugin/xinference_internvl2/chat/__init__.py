"""Turns a chat request into a prompt and sampling parameters, and tokens into its response."""
