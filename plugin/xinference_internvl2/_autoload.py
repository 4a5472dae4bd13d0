"""Extends modules of the host as soon as a process has imported them.

`xinference_internvl2.pth` calls `install()` at the first `import xinference` of a process. Nothing
that goes wrong here may keep the host from starting: errors are logged.
"""

import os
import sys
from _thread import get_ident

TYPE_CHECKING = False  # type checkers take it for true
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

HOST_MODULE = "xinference.model.llm"
# Module of the host → the module of ours whose `activate()` is called once it has been imported.
HOOKS = {
    HOST_MODULE: "host.activate",
    "xinference.api.restful_api": "host.rest_api",
    "xinference.core.supervisor": "host.worker_choice",
    "xinference.deploy.cmdline": "host.engine_command",
    "xinference.core.model": "host.launch_progress",
}
SWITCH = "XINFERENCE_INTERNVL2_AUTOLOAD"
OFF = {"0", "false", "no", "off"}


def install() -> None:
    """Watch imports for the modules in `HOOKS`, unless the user has switched that off."""
    if os.environ.get(SWITCH, "").strip().lower() in OFF:
        return
    if not any(isinstance(finder, HostFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, HostFinder())


class HostFinder:
    """A meta path finder that lets the others find a module, and adds our hook to its loader."""

    def __init__(self) -> None:
        # Finders that ask all others, as this one does, would otherwise ask each other for ever.
        self._asking: set[int] = set()

    def find_spec(
        self,
        fullname: str,
        path: "Sequence[str] | None" = None,
        target: "ModuleType | None" = None,
    ) -> "ModuleSpec | None":
        """Find a module in `HOOKS` as if this finder were absent; ignore every other module."""
        thread = get_ident()
        if fullname not in HOOKS or thread in self._asking:
            return None
        self._asking.add(thread)
        try:
            return _add_hook(_ask_others(self, fullname, path, target), HOOKS[fullname])
        finally:
            self._asking.discard(thread)


def _ask_others(
    own: HostFinder,
    fullname: str,
    path: "Sequence[str] | None",
    target: "ModuleType | None",
) -> "ModuleSpec | None":
    for finder in list(sys.meta_path):
        find_spec = getattr(finder, "find_spec", None)
        if finder is own or find_spec is None:
            continue
        spec: ModuleSpec | None = find_spec(fullname, path, target)
        if spec is not None:
            return spec
    return None


def _add_hook(spec: "ModuleSpec | None", hook: str) -> "ModuleSpec | None":
    """Let the loader of `spec` call `activate()` of our module `hook` after the module has run."""
    exec_module = getattr(spec and spec.loader, "exec_module", None)
    if spec is None or exec_module is None:
        return spec

    def exec_then_activate(module: "ModuleType") -> None:
        exec_module(module)
        _activate(hook)

    try:
        # On the instance, so that `module.__loader__` stays the loader it would have been.
        spec.loader.exec_module = exec_then_activate  # type: ignore[union-attr,method-assign]
    except AttributeError:
        _log_failure()
    return spec


def _activate(hook: str) -> None:
    try:
        __import__(f"{__package__}.{hook}")
        sys.modules[f"{__package__}.{hook}"].activate()
    except Exception:
        _log_failure()


def _log_failure() -> None:
    import logging

    logging.getLogger(__package__).error(
        "xinference-internvl2 could not register its model families, so this process of xinference"
        " works without them; reinstall the plugin, or report the cause that is logged here.",
        exc_info=True,
    )
