"""Reads the folder of a checkpoint as data and checks it, for both engines."""
