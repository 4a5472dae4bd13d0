"""The vLLM engine, in the processes of Xinference and in those of vLLM."""
