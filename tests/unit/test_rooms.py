"""The rooms of the code: who imports whom, and how long a module and a function may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from rooms import EVERYBODY_MAY_IMPORT

REPOSITORY = Path(__file__).resolve().parents[2]
PLUGIN = REPOSITORY / "plugin/xinference_internvl2"
GENERATOR = REPOSITORY / "generator"
MODULE_LINES = 300
FUNCTION_LINES = 40

# What both engines' host models are built from.
SHARED = "families checkpoint tokenizer media chat launch_option_check grammar"
# Room, or module that is a room by itself → the rooms that it may import.
ROOMS = {
    PLUGIN: {
        "errors": "",
        "log_once": "",
        "patching": "",
        "neutral_values": "",
        "system_memory": "",
        "sampling_params": "",
        "engine_outputs": "",
        "grammar": "",
        "confidence": "",
        "families": "",
        "checkpoint": "families",
        "tokenizer": "checkpoint",
        "media": "checkpoint",
        "chat": "media tokenizer checkpoint families grammar",
        "transformers.__init__": "",
        "launch_option_check": "",
        "launch_option_values": "",
        "launch_errors": "",
        "transformers.requirements": "",
        "transformers.launch_options": (
            "launch_option_check checkpoint media chat.prompt_launch_options transformers.engine"
        ),
        "transformers.model": "checkpoint tokenizer transformers.requirements",
        "transformers.engine": "checkpoint.rope transformers.model grammar",
        "transformers.host_model": f"{SHARED} transformers",
        "vllm": SHARED,
        "_autoload": "",
        "host": "families _autoload",
        "demo": "",
        "doctor": f"{SHARED} host _autoload transformers.model transformers.engine demo.files",
        "__main__": "doctor demo families.memory_estimate families.records",
        "__init__": f"{SHARED} transformers.model confidence",
    },
    GENERATOR: {
        "__init__": "",
        "wording": "",
        "problems": "",
        "paths": "",
        "family": "",
        "spec": "family",
        "outputs": "spec family",
        "importing": "spec family",
        "cli": "outputs importing spec",
        "__main__": "cli outputs",
        "run_from_anywhere": "",
    },
}
ENGINES = "transformers.host_model transformers.__init__ vllm.host_model vllm.__init__"
# Library → who may import it in the plugin.
LIBRARIES = {
    "xinference": f"host {ENGINES}",
    "vllm": "vllm",
    "torch": "media transformers vllm doctor.ask",
}


def modules(package: Path) -> dict[str, ast.Module]:
    """Name within the package → the code of every module."""
    return {
        ".".join(path.relative_to(package).with_suffix("").parts): ast.parse(path.read_bytes())
        for path in sorted(package.rglob("*.py"))
    }


def imports(package: str, module: str, code: ast.Module) -> Iterator[str]:
    """The full name of everything that a module imports, also within functions."""
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            folder = f"{package}.{module}".split(".")[: -node.level] if node.level else []
            source = ".".join([*folder, *filter(None, [node.module])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def lies_in(name: str, rooms: str) -> bool:
    return any(f"{name}.".startswith(f"{room}.") for room in rooms.split())


@pytest.mark.parametrize("package", ROOMS, ids=lambda path: path.name)
def test_imports_go_down(package: Path) -> None:
    rooms, code = ROOMS[package], modules(package)
    wrong = []
    for module in code:
        room = next((room for room in rooms if lies_in(module, room)), None)
        assert room, f"{module} has no room in ROOMS"
        for name in imports(package.name, module, code[module]):
            if not name.startswith(f"{package.name}."):
                continue
            imported = name.removeprefix(f"{package.name}.")
            if not any(lies_in(imported, room) for room in rooms):
                imported = "__init__"
            if not lies_in(imported, " ".join([room, rooms[room], *EVERYBODY_MAY_IMPORT])):
                wrong.append(f"{module} imports {imported}, which is not below it")
    assert wrong == []


@pytest.mark.parametrize("package", ROOMS, ids=lambda path: path.name)
def test_modules_import_in_no_circle(package: Path) -> None:
    code = modules(package)
    graph: dict[str, set[str]] = {}
    for module in code:
        for node in ast.walk(code[module]):
            # What only annotations need is not imported when the code runs.
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = []
        names = (name.partition(".")[2] for name in imports(package.name, module, code[module]))
        # What a module gives, or the module itself.
        found = {part for name in names for part in (name, name.rpartition(".")[0])}
        found |= {f"{part}.__init__" for part in found}
        graph[module] = found & code.keys() - {module}
    assert list(TopologicalSorter(graph).static_order())


def test_libraries_stay_in_their_rooms() -> None:
    wrong = []
    for module, code in modules(PLUGIN).items():
        for name in imports(PLUGIN.name, module, code):
            library = name.split(".")[0]
            if library in LIBRARIES and not lies_in(module, LIBRARIES[library]):
                wrong.append(f"{module} imports {library}, which only {LIBRARIES[library]} may")
    assert wrong == []


@pytest.mark.parametrize("package", ROOMS, ids=lambda path: path.name)
def test_modules_and_functions_can_be_held_in_the_head(package: Path) -> None:
    long = []
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if (lines := text.count("\n")) > MODULE_LINES:
            long.append(f"{path.relative_to(package)}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long.append(f"{path.relative_to(package)}: {node.name} has {lines} lines")
    assert long == []
