"""Tokens for many requests at once: it knows neither chat nor Xinference."""
