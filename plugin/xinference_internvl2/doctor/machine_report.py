"""`doctor`: says what is installed, what fits this machine, and how to launch the best of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

from .. import __version__
from ..families.memory_estimate import Use
from . import installation
from .byte_sizes import format_size
from .devices import Device
from .fit_table import format_fits
from .fits import Fit, choose_best, list_fits, list_unknown
from .installation import Engine
from .launch_command import build_launch_command


@dataclass(frozen=True, slots=True)
class Report:
    """All that the doctor finds; sizes are in bytes.

    Attributes:
        loaded: whether the processes of Xinference load the plugin.
        elsewhere: the problem with an `xinference-local` of another environment, or None.
        unknown: checkpoints whose memory is not known.
    """

    plugin: str
    xinference: str | None
    xinference_note: str
    loaded: bool
    loaded_note: str
    elsewhere: str | None
    engines: list[Engine]
    devices: list[Device]
    use: Use
    fits: list[Fit]
    unknown: list[str]
    best: Fit | None

    @property
    def status(self) -> int:
        """The exit status: 0 where something can be launched."""
        return 0 if self.best and self.loaded and self.xinference else 1


def examine(machine: Sequence[Device], use: Use) -> Report:
    """Examine this installation, and what fits the devices."""
    version, note = installation.check_host()
    loaded, by = installation.check_autoload()
    engines = installation.check_engines(machine[0].kind == "gpu")
    found = list_fits(machine, use)
    return Report(
        plugin=__version__,
        xinference=version,
        xinference_note=note,
        loaded=loaded,
        loaded_note=by,
        elsewhere=installation.find_other_python(),
        engines=engines,
        devices=list(machine),
        use=use,
        fits=found,
        unknown=list_unknown(),
        best=choose_best(found, engines, machine),
    )


def as_json(report: Report) -> str:
    """Return the report for a script."""
    data = asdict(report)
    for row, fit in zip(data["fits"], report.fits, strict=True):
        row["verdict"] = fit.verdict
    data["command"] = build_launch_command(report.best) if report.best else None
    return json.dumps(data, indent=2)


def as_text(report: Report) -> Iterator[str]:
    """Yield the lines of the report for a reader."""
    yield _mark(report.xinference is not None, _describe_host(report))
    yield _mark(report.loaded, f"xinference-internvl2 {report.plugin}: {report.loaded_note}")
    if report.elsewhere:
        yield _mark(False, report.elsewhere)
    for engine in report.engines:
        yield from _describe_engine(engine)
    for device in report.devices:
        yield f"  {device.name}: {format_size(device.free)} free of {format_size(device.total)}"
    yield ""
    yield from format_fits(report.fits, report.use)
    if report.unknown:
        yield f"Not known for {', '.join(report.unknown)}: ask doctor about its folder instead."
    yield ""
    if report.best is None:
        yield "Nothing can be launched here: see the lines above that begin with a cross."
        return
    yield f"The best choice here, which {report.best.verdict}:"
    yield f"  {build_launch_command(report.best)}"


def _describe_host(report: Report) -> str:
    return f"Xinference {report.xinference or ''}".strip() + f" {report.xinference_note}"


def _describe_engine(engine: Engine) -> Iterator[str]:
    versions = ", ".join(f"{name} {version}" for name, version in engine.versions.items())
    yield _mark(not engine.lacks, f"{engine.name}: {engine.lacks or versions}")
    for reason, items in groupby(engine.lacks_for.items(), key=lambda item: item[1]):
        yield _mark(False, f"{engine.name}, {' and '.join(q for q, _ in items)}: {reason}")


def _mark(good: bool, text: str) -> str:
    return f"{'✓' if good else '✗'} {text}"
