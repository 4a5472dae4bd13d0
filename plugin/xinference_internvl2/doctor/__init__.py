"""What this machine can run, what a checkpoint holds, and whether a model answers."""
