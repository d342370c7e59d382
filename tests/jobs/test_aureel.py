"""One name for all commands."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cyclopts import App

from jobs.aureel import COMMANDS, app
from jobs.command_line.command import run_command

ROOT = Path(__file__).resolve().parents[2]


def test_every_command_of_jobs_is_a_subcommand_of_the_same_name():
    modules = {p.stem for p in (ROOT / "jobs").glob("*.py")}
    with_app = {
        name
        for name in modules - {"__init__", "aureel"}
        if isinstance(getattr(importlib.import_module(f"jobs.{name}"), "app", None), App)
    }
    assert {name.replace("_", "-") for name in with_app} == set(COMMANDS)
    for name in COMMANDS:
        assert app[name].name == (name,)


def test_the_package_installs_the_command():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts["aureel"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_help_names_every_command_and_imports_none(capsys: pytest.CaptureFixture[str]):
    code = (
        "import sys; from jobs.aureel import app; from jobs.command_line.command import "
        "run_command; run_command(app, ['--help']); "
        "assert not {'jobs.animate', 'jobs.curve', 'torch', 'ray'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name, told in COMMANDS.items():
        assert f"{name} " in done.stdout
        assert told[:40] in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("animate", "--curve", "grin.yaml"), "aureel animate: grin.yaml: no such curve file"),
        (("curve", "bake", "smile", "--output", "x.csv", "--fps", "0"), "aureel curve bake: "),
        (("nonsense",), 'aureel: Unknown command "nonsense". Available commands: animate, '),
    ],
)
def test_a_wrong_call_is_told_by_the_name_it_was_called(
    capsys: pytest.CaptureFixture[str], arguments, says
):
    assert run_command(app, arguments) == 2
    told = capsys.readouterr().err
    assert told.startswith(says)
    assert told.count("\n") == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_options_and_words(shell):
    script = app.generate_completion(shell=shell)
    for word in (*COMMANDS, "editor", "quality", "draft", "lint"):
        assert word in script
