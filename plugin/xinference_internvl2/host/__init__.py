"""Extends the processes of Xinference, for our families alone."""
