"""Says what this machine can run and what a checkpoint holds, and asks a model without a server."""
