"""Serves the family on the Transformers engine: a loader for Xinference, a model, and an engine."""
