"""The import hook, in environments and beside modules where little else is installed."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from . import environment
from .environment import REPOSITORY, Environment

HEAVY = ("torch", "transformers", "vllm", "xinference")


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel alone: no host, no engine."""
    made = environment.create(tmp_path_factory.mktemp("bare") / "venv")
    environment.install(made, wheel)
    return made


@pytest.fixture
def fake_host(tmp_path: Path) -> Path:
    """A package named like the host that says what happens to it."""
    package = tmp_path / "xinference" / "model" / "llm"
    package.mkdir(parents=True)
    for folder in (package.parents[1], package.parent):
        (folder / "__init__.py").touch()
    (package / "__init__.py").write_text("print('booted', __name__)\n")
    return tmp_path


def run(bare: Environment, path: Path, code: str, *flags: str, **env: str) -> list[str]:
    """The lines that `code` prints; `activate()` is replaced by one that prints, too."""
    before = f"""
        import sys; sys.path.insert(0, {str(path)!r})
        import types
        fake = types.ModuleType("xinference_internvl2.host.activate")
        fake.activate = lambda: print("activated")
        sys.modules[fake.__name__] = fake
    """
    script = textwrap.dedent(before) + textwrap.dedent(code)
    return bare.run(*flags, "-c", script, env=env).stdout.split("\n")[:-1]


def test_importing_the_plugin_imports_neither_the_host_nor_an_engine(
    installed: Environment,
) -> None:
    modules = (
        *("", "._autoload", ".patching", ".families.engine_matrix", ".host.activate"),
        *(".host.catalog", ".host.loader_classes", ".host.only_our_loaders"),
        *(".host.engine_query", ".host.rest_api", ".host.extension_factory"),
    )
    imports = "\n".join(f"import xinference_internvl2{name}" for name in modules)
    done = installed.run("-c", f"{imports}\nimport sys\nprint(*sys.modules)")
    top = {name.split(".")[0] for name in done.stdout.split()}
    assert "xinference_internvl2" in top
    assert not top & set(HEAVY)


def test_starting_python_loads_no_module_of_ours(installed: Environment) -> None:
    done = installed.run("-c", "import sys; print(*sys.modules)")
    assert "xinference_internvl2" not in done.stdout


def test_activates_once_right_after_the_import(bare: Environment, fake_host: Path) -> None:
    code = "import xinference.model.llm, xinference.model.llm; print('imported')"
    assert run(bare, fake_host, code) == ["booted xinference.model.llm", "activated", "imported"]


@pytest.mark.parametrize("flag", ["-I", "-E", "-s", "-O"])
def test_activates_with_interpreter_flags(bare: Environment, fake_host: Path, flag: str) -> None:
    assert run(bare, fake_host, "import xinference.model.llm", flag)[-1] == "activated"


@pytest.mark.parametrize("value", ["0", "false", " OFF ", "no"])
def test_can_be_turned_off(bare: Environment, fake_host: Path, value: str) -> None:
    code = "import xinference.model.llm"
    off = run(bare, fake_host, code, XINFERENCE_INTERNVL2_AUTOLOAD=value)
    assert off == ["booted xinference.model.llm"]


@pytest.mark.parametrize("value", ["", "1", "true"])
def test_stays_on(bare: Environment, fake_host: Path, value: str) -> None:
    code = "import xinference.model.llm"
    assert "activated" in run(bare, fake_host, code, XINFERENCE_INTERNVL2_AUTOLOAD=value)


def test_activates_again_after_a_reload(bare: Environment, fake_host: Path) -> None:
    code = """
        import importlib, xinference.model.llm as host
        importlib.reload(host)
    """
    assert run(bare, fake_host, code) == ["booted xinference.model.llm", "activated"] * 2


def test_looking_for_the_module_does_not_activate(bare: Environment, fake_host: Path) -> None:
    code = """
        import importlib.util
        spec = importlib.util.find_spec("xinference.model.llm")
        print(type(spec.loader).__name__, spec.name)
    """
    assert run(bare, fake_host, code) == ["SourceFileLoader xinference.model.llm"]


def test_works_beside_a_finder_that_asks_all_others_too(bare: Environment, fake_host: Path) -> None:
    code = """
        class Nosy:
            def find_spec(self, name, path=None, target=None):
                others = [f for f in sys.meta_path if f is not self]
                return next((s for f in others if (s := f.find_spec(name, path, target))), None)
        import xinference
        sys.meta_path.insert(0, Nosy())
        sys.meta_path.append(Nosy())
        import xinference.model.llm
    """
    assert run(bare, fake_host, code) == ["booted xinference.model.llm", "activated"]


def test_a_process_that_is_spawned_activates_too(bare: Environment, fake_host: Path) -> None:
    code = """
        import subprocess
        child = "import sys; sys.path.insert(0, %r); import xinference.model.llm" % sys.path[0]
        done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
        print(done.stdout, end="")
        print("PATCH_POINT" not in done.stderr and "no xinference.model.llm" in done.stderr)
    """
    assert run(bare, fake_host, code) == ["booted xinference.model.llm", "True"]


def test_a_failure_is_logged_and_the_host_goes_on(bare: Environment, fake_host: Path) -> None:
    code = """
        def activate():
            raise RuntimeError("broken on purpose")
        fake.activate = activate
        import io, logging
        stream = io.StringIO()
        logging.basicConfig(stream=stream)
        import xinference.model.llm
        print(*stream.getvalue().splitlines()[::len(stream.getvalue().splitlines()) - 1], sep="\\n")
    """
    assert run(bare, fake_host, code) == [
        "booted xinference.model.llm",
        "ERROR:xinference_internvl2:xinference-internvl2 could not register its model families,"
        " so this process of xinference works without them; reinstall the plugin, or report the"
        " cause that is logged here.",
        "RuntimeError: broken on purpose",
    ]


def test_an_error_of_the_host_stays_the_hosts(bare: Environment, fake_host: Path) -> None:
    (fake_host / "xinference/model/llm/__init__.py").write_text("raise OSError('of the host')")
    code = """
        try:
            import xinference.model.llm
        except OSError as error:
            print(error)
    """
    assert run(bare, fake_host, code) == ["of the host"]


def test_without_a_host_its_import_fails_as_ever(bare: Environment) -> None:
    done = bare.run("-c", "import xinference", check=False)
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'xinference'"


def test_a_line_left_behind_by_a_removed_package_is_silent(tmp_path: Path, fake_host: Path) -> None:
    made = environment.create(tmp_path / "venv")
    line = REPOSITORY / "plugin" / "xinference_internvl2.pth"
    (made.site_packages / line.name).write_bytes(line.read_bytes())
    path = f"import sys; sys.path.insert(0, {str(fake_host)!r}); import xinference.model.llm"
    for code, output in (("pass", ""), (path, "booted xinference.model.llm\n")):
        done = made.run("-c", code)
        assert (done.stdout, done.stderr) == (output, "")
