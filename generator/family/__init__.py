"""A model family, and what follows from its dimensions."""
