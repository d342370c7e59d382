"""Export MagicFace's networks and build their TensorRT plans, once, with every one checked.

python jobs/build_engines.py --weights DIR                 # for the GPU in this machine
python jobs/build_engines.py --weights DIR --target sm89   # ahead of time, no GPU needed
ray job submit -- python jobs/build_engines.py --weights /shared/magicface
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

if not __package__:  # run as a file: import from the checkout, not from jobs/
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cyclopts import App, Parameter

from engines.editors.magicface.backends.build_request import BuildRequest, check_buildable
from engines.editors.magicface.backends.builders import plan_build, target_sm
from engines.editors.magicface.backends.choose import probe_machine
from engines.editors.magicface.folders import named_weights, native_size
from engines.trt.binding import Binding
from engines.trt.store.cache import PlanCache
from engines.trt.store.key import BatchProfile
from jobs.command_line.command import main_of
from jobs.ray_cluster.cluster import be_quiet, start
from jobs.trt_building.progress import BuildProgress

be_quiet()
app = App(name="build-engines", help=__doc__, help_format="plaintext", version_flags=())

Target = Literal["auto", "sm75", "sm80", "sm86", "sm89", "sm90", "sm100", "sm120", "sm121"]


@app.default
def build_engines(
    *,
    weights: str,
    base: str | None = None,
    backend: str = "auto",
    target: Target = "auto",
    batch: str = "1..8",
    size: int | None = None,
    dtype: str = "fp16",
    cache: Path | None = None,
    cluster: Annotated[bool | None, Parameter(negative="--local")] = None,
) -> int:
    """Export, build and check; what is in the store already is found within a second.

    Parameters
    ----------
    weights
        Folder with ID_enc, denoising_unet and (unless in base) vae, text_encoder, tokenizer and
        scheduler; or `hub`, which downloads MagicFace and SD 1.5 where they are not here yet.
    base
        Folder or hub id of Stable Diffusion 1.5, where it is not in the weights folder.
    backend
        auto, tensorrt-rtx, tensorrt or onnxruntime. auto takes tensorrt-rtx where it targets the
        GPU, else tensorrt. onnxruntime exports and checks the graphs only (fp32 is for this one).
    target
        GPU generation. auto: the GPU in this machine. tensorrt-rtx builds for any it targets on a
        machine without a GPU; tensorrt builds on the GPU it builds for.
    batch
        Frames per call: N, N..M or N..BEST..M. The denoiser gets up to twice as many rows, because
        guidance doubles them.
    size
        Side of the face crop in pixels, a multiple of 64. Without: as the weights were trained.
    dtype
        fp16, bf16, or fp32 for onnxruntime.
    cache
        The store; without: $AUREEL_PLANS, else aureel/plans in the user's cache folder.
    cluster
        Build once per GPU type of a Ray cluster and copy to its GPU nodes. Without: on under
        `ray job submit`, else --local.
    """
    named = named_weights(weights, base)
    folders = named.located()
    profile = BatchProfile.parse(batch)
    image_size = size or native_size(folders)
    cache = cache.expanduser().resolve() if cache else None
    if cluster or (cluster is None and os.environ.get("RAY_ADDRESS")):
        from engines.editors.magicface.backends.cluster.build import build_on_cluster
        from jobs.ray_cluster.nodes import RayNodes

        wanted = BuildRequest(folders, dtype, image_size, profile, named=named)
        start()
        build_on_cluster(wanted, backend, target_sm(target), cache, RayNodes(print))
        return 0
    machine = probe_machine()
    binding, sm = plan_build(backend, target_sm(target), machine)
    here = (machine.gpu, machine.sm, machine.device)
    request = BuildRequest(folders, dtype, image_size, profile, sm, *here)
    if binding is not None:
        check_buildable(request, binding)
    make_all(request, binding, PlanCache(cache))
    return 0


def make_all(request: BuildRequest, binding: Binding | None, store: PlanCache) -> None:
    """Make or find every graph and plan, shown as it goes."""
    from engines.editors.magicface.backends.plan_builder import PlanBuilder

    what = "graphs" if binding is None else f"{binding.label} plans for SM{request.sm}"
    print(
        f"{what}, {request.dtype}, {request.image_size} px, batch {request.batch} frames, "
        f"in {store.root}"
    )
    with BuildProgress() as progress:
        for done in PlanBuilder(request, binding, store, progress.report).run():
            progress.finished(done)
    progress.print_table()


if __name__ == "__main__":
    main_of(app)
