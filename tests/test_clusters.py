"""The recipes in docs/clusters, which cannot run here, agree with Ray and our own options."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement

from jobs.animate import app

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "docs" / "clusters"
DOCKERFILE = (RECIPES / "Dockerfile").read_text("utf-8")
KUBERAY: dict[str, Any] = yaml.safe_load((RECIPES / "kuberay.yaml").read_text("utf-8"))["spec"]
RAY_UP = (RECIPES / "ray-up.yaml").read_text("utf-8")
RAY_OF_THE_IMAGE = re.findall(r"^ARG RAY=(\S+)", DOCKERFILE, re.MULTILINE)[0]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def groups() -> Iterator[dict[str, Any]]:
    cluster = KUBERAY["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        yield group["template"]["spec"]


def test_the_images_ray_lies_in_the_range_we_are_tested_with():
    (ray,) = (r for r in map(Requirement, PROJECT["dependencies"]) if r.name == "ray")
    assert ray.specifier.contains(RAY_OF_THE_IMAGE)
    assert KUBERAY["rayClusterSpec"]["rayVersion"] == RAY_OF_THE_IMAGE


def test_the_images_extras_are_ours():
    extras = set(re.findall(r"EXTRAS=([a-z,]+)", DOCKERFILE))
    named = {extra for words in extras for extra in words.split(",")}
    assert named <= set(PROJECT["optional-dependencies"])


def test_the_cluster_for_ray_up_is_one_by_rays_own_schema():
    found = importlib.util.find_spec("ray")
    assert found is not None
    schema = Path(str(found.origin)).parent / "autoscaler" / "ray-schema.json"
    jsonschema.validate(yaml.safe_load(RAY_UP), json.loads(schema.read_text("utf-8")))


def calls() -> list[list[str]]:
    commented = " ".join(line.removeprefix("#").strip() for line in RAY_UP.splitlines()[:3])
    return [shlex.split(KUBERAY["entrypoint"]), shlex.split(commented.split("submit -- ")[1])]


@pytest.mark.parametrize("call", calls(), ids=["kuberay", "ray up"])
def test_the_job_of_a_recipe_is_a_call_that_our_command_takes(call: list[str]):
    assert call[:2] == ["python", "/opt/aureel/jobs/animate.py"]
    _, bound, ignored = app.parse_args(call[2:], exit_on_error=False, print_error=False)
    assert bound.arguments
    assert not ignored
    places = [word for word in call if word.startswith("/shared/")]
    assert len(places) == 4, "inputs, outputs, state and weights lie where all nodes see them"


def test_all_pods_see_the_same_folders_in_the_same_image():
    containers = [container for pod in groups() for container in pod["containers"]]
    assert len(containers) == 3
    assert len({container["image"] for container in containers}) == 1
    for pod in groups():
        volumes = {volume["name"] for volume in pod["volumes"]}
        (container,) = pod["containers"]
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {"/shared", "/cache"}
