"""A folder of a checkpoint, read as data and checked, for both engines."""
