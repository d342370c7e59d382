"""Whether every node sees the same files: asked once, by a task on each, before any work.

A node with a disk of its own under a job's paths would say "done", and no file would be where the
person looks.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

from jobs.errors import JobError
from pipeline.files import make_folder
from pipeline.partials import PARTIAL
from pipeline.rows import VideoRow
from pipeline.source import Identity
from pipeline.storage.urls import url_of

ANSWER_S = 60.0
"""How long a node may take to start a process that answers."""


def check_shared(videos: Sequence[VideoRow]) -> bool:
    """Refuses a cluster of several nodes of which one sees other files than this machine.

    Returns:
        Whether all see the run folder. Where all inputs and outputs lie in stores, none need to.
    Raises:
        JobError: the node and the path.
    """
    ray: Any = import_module("ray")  # late: jobs.ray_cluster.cluster sets it up
    nodes = {str(n["NodeID"]): _name(n) for n in ray.nodes() if n.get("Alive")}
    if len(nodes) < 2:
        return True
    outputs = {str(Path(v["output"]).parent) for v in videos if not url_of(v["output"])}
    folders = sorted(outputs | {video["work"] for video in videos})
    files = [video for video in videos if not url_of(video["source"])]
    sizes = {video["source"]: Identity.parse(video["identity"]).size for video in files}
    tokens = _laid(folders)
    try:
        answers = _answers(ray, list(nodes), tokens, sizes)
    finally:
        for token in tokens:
            Path(token).unlink(missing_ok=True)
    only_state = not outputs and not files
    for node, problems in zip(nodes, answers, strict=True):
        if problems and only_state:
            return False
        if problems:
            more = f" (and {len(problems) - 1} more)" if problems[1:] else ""
            raise JobError(
                f"node {nodes[node]}: {problems[0]}{more}; --work must lie on storage that all "
                "nodes share, inputs and --output too or in a store (s3://, …)"
            )
    return True


def _name(node: Mapping[str, Any]) -> str:
    return f"{node.get('NodeManagerHostname', '')} ({node.get('NodeManagerAddress', '')})"


def _laid(folders: Sequence[str]) -> dict[str, str]:
    """A file with a text that nobody else knows in each folder: path → text."""
    tokens: dict[str, str] = {}
    for folder in folders:
        make_folder(Path(folder))
        text = uuid4().hex
        path = Path(folder) / f"{PARTIAL}{text[:12]}.probe"
        path.write_text(text)
        tokens[str(path)] = text
    return tokens


def _answers(
    ray: Any, nodes: Sequence[str], tokens: dict[str, str], sizes: dict[str, int]
) -> list[list[str]]:
    strategies: Any = import_module("ray.util.scheduling_strategies")
    task = ray.remote(problems_here)
    asked = [
        task.options(
            scheduling_strategy=strategies.NodeAffinitySchedulingStrategy(node, soft=False),
            num_cpus=0,
        ).remote(tokens, sizes)
        for node in nodes
    ]
    answers: list[list[str]] = []
    for handle in asked:
        try:
            answers.append(ray.get(handle, timeout=ANSWER_S))
        except ray.exceptions.RayError as error:
            told = next(iter(str(error).strip().splitlines()), "")
            answers.append([f"does not answer: {type(error).__name__}: {told}"])
    return answers


def problems_here(tokens: Mapping[str, str], sizes: Mapping[str, int]) -> list[str]:
    """What of the job's files is not as the driver sees it, on the node where this runs.

    Args:
        tokens: a file in each folder that is written to → what it says.
        sizes: of the inputs, bytes.
    """
    problems = [_folder_problem(Path(path), text) for path, text in tokens.items()]
    problems += [_input_problem(Path(path), size) for path, size in sizes.items()]
    return [problem for problem in problems if problem]


def _folder_problem(token: Path, text: str) -> str:
    ours = token.with_suffix(f".{os.getpid()}")
    try:
        list(token.parent.iterdir())  # a network file system looks again
        if token.read_text() != text:
            return f"{token.parent}: is another folder there than here"
        ours.touch()
        ours.unlink()
    except FileNotFoundError:
        return f"{token.parent}: is not this machine's folder there"
    except OSError as error:
        return f"{token.parent}: cannot be used there: {error.strerror}"
    return ""


def _input_problem(source: Path, size: int) -> str:
    try:
        seen = source.stat().st_size
    except OSError as error:
        return f"{source}: cannot be seen there: {error.strerror}"
    return "" if seen == size else f"{source}: has {seen} bytes there and {size} here"
