"""The Transformers engine."""
