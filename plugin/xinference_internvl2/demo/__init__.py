"""A tiny InternVL2 that sees coloured shapes, and questions that it answers."""
