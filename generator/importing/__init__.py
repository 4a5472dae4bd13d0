"""Registrations of Xinference, turned into specs."""
