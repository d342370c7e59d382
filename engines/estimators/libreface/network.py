"""LibreFace's AU network, and the strict loading of its checkpoint.

The checkpoint is `{"model": state_dict}` with 138 keys: `encoder.*`, a stock ResNet-18 (He et al.
2016) without its last layer, numbered as its children are; `classifier.*`, 12 intensities; and
`classifier_2.*`, 12 detections, which are loaded with the rest but not asked for here.

Source: LibreFace 0.2.0 (Chang et al., WACV 2024), `AU_Recognition/weights/combined_resnet.pt`.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engines.errors import EngineError
from keyframes.au import AU_ORDER, INTENSITY_MAX

FILE_NAME = "combined_resnet.pt"
_NAMES_SHOWN = 3


class _Block(nn.Module):
    """Two 3×3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential()
        if inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + self.downsample(x))


def _layer(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_Block(inputs, outputs, stride), _Block(outputs, outputs, 1))


def _head() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(512, 128),
        nn.ReLU(),
        nn.BatchNorm1d(128),
        nn.Dropout(),  # holds its place in the numbering; off outside training
        nn.Linear(128, len(AU_ORDER)),
        nn.Sigmoid(),
    )


class AUNetwork(nn.Module):
    """`(N, 3, 224, 224)` float32 RGB, ImageNet-normalised → `(N, 12)` intensities 0…5."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
            _layer(64, 64, 1),
            _layer(64, 128, 2),
            _layer(128, 256, 2),
            _layer(256, 512, 2),
            nn.AdaptiveAvgPool2d(1),
        )
        self.classifier = _head()
        self.classifier_2 = _head()

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.encoder(images).flatten(1)) * INTENSITY_MAX


def load_network(path: Path, device: str) -> AUNetwork:
    """The network with a checkpoint's weights, ready to measure.

    Raises:
        EngineError: not a checkpoint, or one whose keys or shapes differ; names the first of them.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError):
        raise EngineError(f"LibreFace weights {path}: not a torch checkpoint of tensors") from None
    state = checkpoint.get("model") if isinstance(checkpoint, dict) else None
    if not isinstance(state, Mapping):
        raise EngineError(f"LibreFace weights {path}: got no 'model'; expected {{'model': …}}")
    network = AUNetwork()
    _check_keys(path, network.state_dict(), state)
    network.load_state_dict(state, strict=True)
    return network.eval().requires_grad_(False).to(device)


def _check_keys(path: Path, expected: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    misshapen = [
        f"{name} {tuple(getattr(state[name], 'shape', ()))} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and getattr(state[name], "shape", None) != tensor.shape
    ]
    faults = {
        "missing": [name for name in expected if name not in state],
        "extra": [str(name) for name in state if name not in expected],
        "misshapen": misshapen,
    }
    told = [f"{len(names)} {fault} ({_some(names)})" for fault, names in faults.items() if names]
    if told:
        raise EngineError(
            f"LibreFace weights {path}: {'; '.join(told)}; expected its {len(expected)} keys"
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMES_SHOWN]) + (", …" if len(names) > _NAMES_SHOWN else "")
