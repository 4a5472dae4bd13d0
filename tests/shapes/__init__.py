"""A tiny InternVL2 that sees: its task, its training, its export in the published formats."""
