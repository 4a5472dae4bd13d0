"""The streams of all requests that are not over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from .sequence import Request
from .token_stream import TokenStream


class OpenStreams(dict[Request, TokenStream]):
    """Streams by request. Readers open them on threads of their own, the engine's closes them."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()  # of what readers see, and of how the engine ended
        self._ended: str | None = None

    def open(self, request: Request, ask: Callable[[int], None]) -> TokenStream:
        """Add the stream of a request, whose reader gets more tokens by `ask`.

        Raises:
            RuntimeError: the engine has ended.
        """
        stream = TokenStream(ask)
        with self._lock:
            if self._ended:
                raise RuntimeError(self._ended)
            self[request] = stream
        return stream

    def find(self, name: str) -> list[Request]:
        """Return the requests of that name."""
        with self._lock:
            return [request for request in self if request.name == name]

    def close(self, request: Request) -> TokenStream:
        """Remove the stream of a request, and return it."""
        with self._lock:
            return self.pop(request)

    def end(self, reason: str) -> None:
        """Tell every reader, and all that come later, that the engine has ended."""
        with self._lock:
            self._ended = reason
            streams = [*self.values()]
            self.clear()
        for stream in streams:
            with suppress(Exception):
                stream.put(RuntimeError(reason))
