"""The errors of the host-free part of the plugin; each message is one sentence for the user."""


class CheckpointError(ValueError):
    """A checkpoint directory that cannot be served, with what was found and what to do."""


class RequestError(ValueError):
    """A chat request that cannot be answered as it is; the message names the part at fault."""
