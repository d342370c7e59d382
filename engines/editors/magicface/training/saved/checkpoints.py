"""Checkpoints of a run: weights in the official layout, and what is needed to go on bit for bit.

    RUN/step-00001000/ID_enc, denoising_unet         the averaged weights, as the editor loads them
                      vae, text_encoder, …           links to the set that training began from
                      training.json                  recipe, pairs, provenance
                      resume.pt                      parameters, optimiser, averages

A checkpoint appears whole or not at all.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from engines.editors.magicface.folders import BASE_FOLDERS, WeightFolders
from engines.editors.magicface.training.network.averages import Averages, holding, learning
from engines.editors.magicface.training.network.trainee import (
    Trainee,
    official_config,
    write_official,
)
from engines.editors.magicface.training.recipe import Recipe
from engines.editors.magicface.training.saved.run_folder import (
    FACTS,
    Facts,
    checkpoint_name,
    checkpoints,
    read_facts,
)
from engines.errors import EngineError

_STATE = "resume.pt"
_UNFINISHED = ".unfinished-"
_UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, UnpicklingError)


def save(
    run: Path,
    trainee: Trainee,
    optimiser: torch.optim.Optimizer,
    averages: Averages | None,
    facts: Facts,
    base: WeightFolders | None,
) -> Path:
    """Write a checkpoint of what was learnt after `facts.step` steps; its folder."""
    run.mkdir(parents=True, exist_ok=True)
    final = run / checkpoint_name(facts.step)
    partial = Path(tempfile.mkdtemp(dir=run, prefix=_UNFINISHED))
    try:
        with holding(trainee, averages.values if averages else {}):
            configs = {name: official_config(unet) for name, unet in trainee.unets.items()}
            write_official(partial, trainee.official_state(), configs)
        torch.save(_state(trainee, optimiser, averages), partial / _STATE)
        for name in BASE_FOLDERS if base else ():
            (partial / name).symlink_to(getattr(base, name).resolve())
        (partial / FACTS).write_text(json.dumps(asdict(facts), indent=1), encoding="utf-8")
        partial.chmod(0o755)
        shutil.rmtree(final, ignore_errors=True)
        partial.replace(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return final


def _state(
    trainee: nn.Module, optimiser: torch.optim.Optimizer, averages: Averages | None
) -> dict[str, Any]:
    return {
        "parameters": {name: p.detach() for name, p in learning(trainee).items()},
        "optimiser": optimiser.state_dict(),
        "averages": averages.values if averages else None,
        "updates": averages.updates if averages else 0,
    }


def clear_unfinished(run: Path) -> None:
    """Remove what a killed worker was about to write: at full size, 10 GB of a checkpoint."""
    for path in run.glob(f"{_UNFINISHED}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def forget_old(run: Path, keep: int) -> None:
    """Only the last `keep` checkpoints can be gone on from; weights of all stay. 0 keeps all."""
    for folder in checkpoints(run)[:-keep] if keep else []:
        (folder / _STATE).unlink(missing_ok=True)


def resume(
    run: Path,
    trainee: Trainee,
    optimiser: torch.optim.Optimizer,
    averages: Averages | None,
    recipe: Recipe,
    pairs: str,
) -> int:
    """Take up the last checkpoint of a run; how many steps are done, 0 where there is none.

    Raises:
        EngineError: it is of another recipe or of other pairs, or its files do not fit.
    """
    done = [folder for folder in checkpoints(run) if (folder / _STATE).is_file()]
    if not done:
        return 0
    facts = read_facts(done[-1])
    _check_same(done[-1], facts, recipe, pairs)
    _load(done[-1] / _STATE, trainee, optimiser, averages)
    return facts.step


def _check_same(folder: Path, facts: Facts, recipe: Recipe, pairs: str) -> None:
    other = recipe.differs_from(facts.recipe)
    if facts.pairs != pairs:
        other.append("the pairs or their VAE are others")
    if other:
        raise EngineError(
            f"{folder}: cannot go on from it: {'; '.join(other)}; expected the same, "
            "or another output folder"
        )


def _load(
    path: Path,
    trainee: nn.Module,
    optimiser: torch.optim.Optimizer,
    averages: Averages | None,
) -> None:
    try:
        state: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        own = learning(trainee)
        if own.keys() != state["parameters"].keys():
            raise EngineError(f"{path}: its parameters are not this network's")
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(state["parameters"][name])
            if averages:
                averages.updates = state["updates"]
                for name, value in averages.values.items():
                    value.copy_(state["averages"][name])
        optimiser.load_state_dict(state["optimiser"])
    except _UNREADABLE as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise EngineError(
            f"{path}: not readable: {said}; without its folder the run goes on from the one before"
        ) from None
