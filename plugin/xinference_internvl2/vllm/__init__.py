"""The vLLM engine."""

# A sub-pool of the host unpickles our loader first of all. Were the host imported only by the
# loader itself, its start-up would import the loader back, half-initialized.
import xinference.model  # noqa: F401
