"""GPUs as the driver, Ray and torch see them, and where they disagree."""

from __future__ import annotations

from dataclasses import dataclass

from engines.devices.cuda_fault import driver_version
from engines.devices.torch_facts import TorchFacts, torch_facts
from jobs.checkup.finding import Finding
from jobs.ray_cluster import lone_machine
from pipeline.media.read.decoding.nvdec import why_not_here
from pipeline.media.write.encoding.nvenc import NVENC, why_not_nvenc

WHEELS = ((580, "cu130"), (525, "cu126"))
"""Oldest driver → torch's newest wheels that run on it (CUDA's minor-version compatibility)."""


@dataclass(frozen=True)
class Gpus:
    """What was seen.

    Attributes:
        driver: NVIDIA's version, "" without one.
        counted: by Ray; None where this Ray does not tell without being started.
    """

    driver: str
    counted: float | None
    torch: TorchFacts | None

    @property
    def usable(self) -> float:
        """How many an engine can have."""
        return float(len(self.torch.gpus)) if self.torch else 0.0


def look() -> Gpus:
    """This machine's, without starting Ray or using a GPU."""
    return Gpus(driver_version(), lone_machine.count_gpus(), torch_facts())


def findings(gpus: Gpus) -> list[Finding]:
    """A line for the GPU and one for torch."""
    return [_gpu(gpus), _torch(gpus)]


def video_findings() -> list[Finding]:
    """What its encoder and decoder do, by a few pictures that go through each."""
    found = {"NVENC": _encoders(), "NVDEC": (why_not_here(), "h264 decoded to the bit")}
    instead = {"NVENC": "--encoder cpu is the default", "NVDEC": "--reader av is the default"}
    return [
        Finding(area="GPU", name=name, state="limited", told=why, advice=instead[name])
        if why
        else Finding(area="GPU", name=name, state="yes", told=good)
        for name, (why, good) in found.items()
    ]


def _encoders() -> tuple[str | None, str]:
    """Why NVENC writes nothing here, and what it writes."""
    refused = {codec: why_not_nvenc(codec) for codec in NVENC}
    written = [codec for codec, why in refused.items() if why is None]
    return (None if written else refused["h264"]), f"writes {', '.join(written)}"


def _gpu(gpus: Gpus) -> Finding:
    driver = f"driver {gpus.driver}" if gpus.driver else "no NVIDIA driver"
    counted = "Ray's count unknown" if gpus.counted is None else f"Ray counts {gpus.counted:g}"
    if gpus.usable:
        names = ", ".join(gpus.torch.gpus) if gpus.torch else ""
        return Finding(area="GPU", name=names, state="yes", told=f"{driver}, {counted}")
    if gpus.counted:
        told = f"{driver}; {counted}, torch sees none{_refusal(gpus)}"
        return Finding(area="GPU", name="here", state="no", told=told, advice=mend(gpus))
    return Finding(
        area="GPU",
        name="here",
        state="limited",
        told=f"{driver}, {counted}",
        advice="previews run on the CPU, MagicFace takes minutes per frame there",
    )


def _refusal(gpus: Gpus) -> str:
    return f" ({gpus.torch.refusal})" if gpus.torch and gpus.torch.refusal else ""


def _torch(gpus: Gpus) -> Finding:
    if gpus.torch is None:
        advice = "pip install 'aureel[magicface]'"
        return Finding(
            area="packages", name="torch", state="limited", told="not installed", advice=advice
        )
    cuda = f"CUDA {gpus.torch.cuda}" if gpus.torch.cuda else "CPUs only"
    told = f"{gpus.torch.version}, built for {cuda}"
    return Finding(area="packages", name="torch", state="yes", told=told)


def mend(gpus: Gpus) -> str:
    """What makes torch see GPUs that Ray counts; the command where there is one."""
    if gpus.torch is None:
        return "pip install 'aureel[magicface]'"
    if not gpus.driver:
        return "give this process the driver (in a container: --gpus all)"
    major = int(gpus.driver.partition(".")[0])
    wheels = next((name for oldest, name in WHEELS if major >= oldest), None)
    if wheels is None:
        return f"update the NVIDIA driver to {WHEELS[-1][0]} or later"
    return (
        "pip install --force-reinstall torch torchvision "
        f"--index-url https://download.pytorch.org/whl/{wheels}"
    )
