"""What tests of engines start as processes of their own: `python -m tests.engines.processes.…`."""
