"""Serves the family on vLLM: a loader for Xinference, and an extension of vLLM's own processes."""
