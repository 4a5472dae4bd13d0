"""How much of the weights is loaded, as transformers counts them for its progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from transformers.utils import logging

Report = Callable[[float], None]
"""Called with the part that is loaded, up to 1."""
STEP = 0.05
READING_SHARE = 0.9
"""The share of a launch's loading that reads weights; the rest packs them."""


@contextmanager
def watch_loading(report: Report | None) -> Iterator[None]:
    """Report how much of a model is loaded while the body loads it."""
    if report is None:
        yield
        return
    previous = logging.set_tqdm_hook(partial(_watch, report))
    try:
        yield
    finally:
        logging.set_tqdm_hook(previous)


def _watch(
    report: Report, make: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    bar = make(*args, **options)
    return _ReportingBar(bar, len(args[0]), report) if args and hasattr(args[0], "__len__") else bar


class _ReportingBar:
    """A progress bar that reports every `STEP` of the way as well."""

    def __init__(self, bar: Any, total: int, report: Report) -> None:
        self._bar, self._total, self._report = bar, total, report

    def __iter__(self) -> Iterator[Any]:
        reported = 0.0
        for count, item in enumerate(self._bar, 1):
            yield item
            if count / self._total >= min(reported + STEP, 1):
                reported = count / self._total
                self._report(reported)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bar, name)
