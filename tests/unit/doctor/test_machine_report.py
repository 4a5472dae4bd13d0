"""`doctor`: what it says of an installation, quickly, in text and in JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xinference_internvl2 import __main__ as command_line
from xinference_internvl2.doctor import devices, installation, machine_report
from xinference_internvl2.doctor.byte_sizes import parse_size
from xinference_internvl2.doctor.fits import list_fits
from xinference_internvl2.families.memory_estimate import Use

PLUGIN = Path(__file__).resolve().parents[3] / "plugin"
HEAVY = ("torch", "transformers", "vllm", "xinference")


def doctor(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(PLUGIN), **environment}
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "xinference_internvl2", "doctor", *words],
        capture_output=True,
        text=True,
        timeout=120,
        env=env,
        check=False,
    )


def test_it_imports_no_engine_and_not_the_host() -> None:
    done = doctor()
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "xinference_internvl2.doctor.machine_report" in imported
    assert imported.isdisjoint(HEAVY)
    words = " ".join(done.stdout.split())
    assert "Not known for internvl-chat 4 (pytorch): ask" in words
    for said in ("Family", "internvl2 76 awq Int4", "InternVL2.5 78 awq Int4", "Transformers:"):
        assert said in words


def test_json_says_the_same() -> None:
    data = json.loads(doctor("--json", "--memory", "24GiB").stdout)
    assert data["devices"][0]["total"] == 24 * (1 << 30)
    assert data["use"]["context"] == 8192
    assert {row["verdict"] for row in data["fits"]} >= {"fits", "does not fit"}
    assert data["command"] is None or data["command"].startswith("xinference launch ")


def test_pictures_that_no_context_holds_are_refused() -> None:
    done = doctor("--memory", "24GB", "--context", "8k", "--pictures", "4")
    assert done.returncode == 2
    assert "4 pictures of 13 tiles are 13,312 tokens" in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--memory", "24"], "24 is not a size, such as 24GB or 24GiB"),
        (["--memory", "24gb"], "24gb is not a size"),
        (["--context", "0"], "0 is not a number from 1 on"),
        (["--context", "1000000000"], "1000000000 is not a number from 1 on, of nine digits"),
        (["--pictures", "many"], "many is not a number from 1 on"),
    ],
)
def test_wrong_numbers_are_named(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        command_line.main(["doctor", *words])
    assert end.value.code == 2
    assert sentence in capsys.readouterr().err


def test_gigabytes_and_gibibytes() -> None:
    assert parse_size("24GB") == 24 * 10**9
    assert parse_size("24GiB") == 24 * 2**30
    assert command_line._parse_count("8k") == 8192
    assert command_line._parse_count("1") == 1
    assert command_line._parse_count("999999999") == 999_999_999


def test_why_the_plugin_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(installation.EXTENSIONS, raising=False)
    monkeypatch.setenv(installation.SWITCH, "off")
    assert installation.check_autoload() == (
        False,
        "XINFERENCE_INTERNVL2_AUTOLOAD=off turns it off; unset it",
    )
    monkeypatch.setenv(installation.EXTENSIONS, f"other:create,{installation.FACTORY}")
    assert installation.check_autoload() == (True, "XINFERENCE_EXTENSIONS loads it")


def interpreter(tmp_path: Path, options: str = "") -> str:
    """A Python that begins with some options."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {options} "$@"\n')
    python.chmod(0o755)
    return str(python)


def test_what_the_pth_file_keeps_quiet_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    without_sites = interpreter(tmp_path, "-S")
    assert "does not have this plugin" in str(installation.find_load_failure(without_sites))
    monkeypatch.setenv("PYTHONPATH", str(PLUGIN))
    assert "(the file was not read" in str(installation.find_load_failure(without_sites))
    line = (PLUGIN / "xinference_internvl2.pth").read_text("utf-8").splitlines()[-1]
    (tmp_path / "sitecustomize.py").write_text(line)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{PLUGIN}")
    assert installation.find_load_failure(interpreter(tmp_path)) is None
    (tmp_path / "xinference_internvl2").mkdir()
    (tmp_path / "xinference_internvl2/__init__.py").touch()
    (tmp_path / "xinference_internvl2/_autoload.py").write_text("import nothing_of_this_name")
    found = str(installation.find_load_failure(interpreter(tmp_path)))
    assert "No module named 'nothing_of_this_name'" in found
    assert "--force-reinstall" in found


def test_an_interpreter_has_its_time_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        asked.update(options)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(installation.subprocess, "run", run)
    assert installation.find_load_failure(sys.executable) is None
    assert asked["text"] is True
    assert asked["timeout"] >= 10


@pytest.mark.parametrize("lacking", [None, "best", "loaded", "xinference"])
def test_the_exit_status_tells_what_can_be_launched(lacking: str | None) -> None:
    device = [devices.Device("gpu", "A card", 10**12, 10**12)]
    fit = list_fits(device, Use())[0]
    report = machine_report.Report(
        *("0", "4.1.0", "", True, "", None, [], device, Use(), [fit], [], fit)
    )
    found = replace(report, **{lacking: None}) if lacking else report
    assert found.status == (1 if lacking else 0)


def test_a_server_in_another_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    python = interpreter(tmp_path, "-S")
    script = tmp_path / "xinference-local"
    script.write_text(f"#!{python}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    found = installation.find_other_python()
    assert found
    assert f"{python} -m pip install xinference-internvl2" in found
    Path(python).write_text("#!/bin/sh\nexit 0\n")
    assert installation.find_other_python() is None


def test_a_tested_version_of_xinference(monkeypatch: pytest.MonkeyPatch) -> None:
    for version, words in (
        ("4.1.0", "tested with"),
        ("4.0.0", "tested with"),
        ("3.9.9", "not tested"),
        (None, "not installed"),
    ):
        monkeypatch.setattr(installation, "_find_version", lambda _, version=version: version)
        assert words in installation.check_host()[1]
