"""What an installation holds, and that it says what it needs."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("keyframes", "engines", "pipeline", "jobs")
BROUGHT_ALONG = {"pydantic-core"}
"""By a package that pins its very version, so that nobody need declare it."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def distribution(requirement: str) -> str:
    name = requirement.partition(";")[0]
    for mark in "[<>=!~ ":
        name = name.partition(mark)[0]
    return name.lower().replace("_", "-")


def declared() -> set[str]:
    extras = PROJECT["optional-dependencies"]
    run_time = [r for name, extra in extras.items() if name != "dev" for r in extra]
    return {distribution(r) for r in [*PROJECT["dependencies"], *run_time]} | BROUGHT_ALONG


def imported_by(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {*ROOMS}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(made).namelist())


def test_a_wheel_holds_the_rooms_with_their_data_and_nothing_else(wheel: set[str]):
    tracked = subprocess.run(
        ["git", "ls-files", "--", *ROOMS], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not tracked:
        pytest.skip("not a git checkout")
    inside = {name for name in wheel if ".dist-info/" not in name}
    assert set(tracked) - inside == set()
    assert {name.partition("/")[0] for name in inside} == {*ROOMS}


def test_a_wheel_carries_the_notice_of_everything_it_redistributes(wheel: set[str]):
    licences = {name.partition(".dist-info/licenses/")[2] for name in wheel}
    notices = {str(n.relative_to(ROOT)) for room in ROOMS for n in (ROOT / room).rglob("NOTICE")}
    assert len(notices) >= 2
    assert {"LICENSE", *notices} <= licences


def test_everything_that_is_imported_is_declared():
    provided_by = metadata.packages_distributions()
    known = declared()
    for file in (file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))):
        for name in imported_by(file):
            owners = {distribution(owner) for owner in provided_by.get(name, [])}
            if owners:  # of an extra that is not installed here nothing can be said
                assert owners & known, f"{file.relative_to(ROOT)} imports {name}"


def test_the_oldest_ray_that_is_tested_is_the_oldest_that_is_admitted():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (ray,) = (line for line in project["dependencies"] if line.startswith("ray["))
    makefile = (ROOT / "Makefile").read_text()
    (tested,) = (x for x in makefile.splitlines() if x.startswith("OLDEST_RAY := "))
    assert f">={tested.removeprefix('OLDEST_RAY := ').removesuffix('.0')}," in ray
