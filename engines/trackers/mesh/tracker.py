"""The embedded tracker: MediaPipe's published face models in LiteRT, in this process.

Every frame is searched as a whole. A face of the frame before that this search missed is looked for
once more in its own landmark region, so a face that turns or blurs is not lost. Only when that
leaves fewer than `min_faces`, the frame is searched by tiles, at most every 30 frames of one call.
The calls themselves share nothing: one call to `track` is one sequence.

What looks like a face to the detector need not be one. A doubtful detection counts only if the
mesh, looked for again where it says the face is, comes back to itself: within 5 % of the outer-eye
distance and with presence above 0.9. On 1000 ImageNet pictures, one of each class, this left 2 of
20 false faces of the whole-frame search (dogs, cats, monkeys, a fig) and cost 2 of 49 real ones; of
about 50 false ones found in tiles it left 8. Upside-down faces are no longer read as upright.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from engines.devices.litert import packaged_task
from engines.errors import EngineError
from engines.faces.canonical import TASK, canonical_face
from engines.faces.head_pose import head_matrix, pose_angles, rotation_of
from engines.faces.ibug import ibug_points
from engines.interface import Face, RGBFrame
from engines.trackers.checks import check_frame
from engines.trackers.mesh.detector import Detection, FaceDetector, box_overlap, letterbox
from engines.trackers.mesh.landmarks import (
    BlendshapeModel,
    LandmarkModel,
    region_from_detection,
    region_from_mesh,
)
from engines.trackers.mesh.sampling import Region
from engines.trackers.mesh.tiles import detect_in_tiles

TILE_EVERY = 30
PRESENCE_MIN = 0.5
PRESENCE_MIN_TILE = 0.9  # false boxes in tiles reached 0.53; real faces of 40 px and more 1.0
SURE = 0.85  # a detection below is checked for being a face
RETURN_MAX = 0.05  # of the outer-eye distance
SETTLING = 3  # looks; then a 150 px face jumps by 0.3 px when it is followed, with none by 2.3
_SAME_FACE = 0.5  # of the smaller box

_Mesh = tuple[NDArray[np.float32], float]  # 478 points and their presence


class MeshTracker:
    """Faces with 478 mesh points, 52 blendshapes and a head matrix, on a CPU.

    Args:
        max_faces: most faces per frame.
        min_faces: tiles are searched only where a frame shows fewer than this.
        tiles: search small faces at all.
        tile_levels: tile sizes tried in turn: the frame's shorter side, its half, its quarter.
        threads: per model; parallelism is better had from more actors.

    Raises:
        EngineError: a setting outside its range.
    """

    def __init__(
        self,
        *,
        max_faces: int = 4,
        min_faces: int = 1,
        tiles: bool = True,
        tile_levels: int = 2,
        threads: int = 1,
    ) -> None:
        if not 1 <= min_faces <= max_faces:
            raise EngineError(
                f"mesh tracker: got min_faces {min_faces} and max_faces {max_faces}; "
                "expected 1 ≤ min_faces ≤ max_faces"
            )
        if not 1 <= tile_levels <= 3:
            raise EngineError(f"mesh tracker: got tile_levels {tile_levels}; expected 1, 2 or 3")
        self._max_faces, self._min_faces = max_faces, min_faces
        self._tile_levels = tile_levels if tiles else 0
        with packaged_task(TASK) as task:
            self._detector = FaceDetector(task.read("face_detector.tflite"), threads=threads)
            self._landmarks = LandmarkModel(
                task.read("face_landmarks_detector.tflite"), threads=threads
            )
            self._blendshapes = BlendshapeModel(
                task.read("face_blendshapes.tflite"), threads=threads
            )

    def track(self, frames: Sequence[RGBFrame]) -> list[list[Face]]:
        """As the Protocol says; the frames of one call are one sequence."""
        tracked: list[list[Face]] = []
        next_search = 0
        before: list[Face] = []
        for number, frame in enumerate(frames):
            check_frame(frame)
            faces = self._in_whole_frame(frame)
            faces = self._followed(frame, faces, before)
            if len(faces) < self._min_faces and number >= next_search and self._tile_levels:
                faces = self._in_tiles(frame, faces)
                next_search = number + TILE_EVERY
            tracked.append(faces)
            before = faces
        return tracked

    def _in_whole_frame(self, frame: RGBFrame) -> list[Face]:
        height, width = frame.shape[:2]
        found = self._detector.detect(frame, letterbox(width, height))[: self._max_faces]
        return self._added(frame, [], (self._detected(frame, d) for d in found))

    def _followed(self, frame: RGBFrame, faces: list[Face], before: list[Face]) -> list[Face]:
        lost = (f.mesh_px for f in before if f.mesh_px is not None and not _is_among(f, faces))
        found = (self._face(frame, region_from_mesh(mesh), PRESENCE_MIN) for mesh in lost)
        return self._added(frame, faces, found)

    def _in_tiles(self, frame: RGBFrame, faces: list[Face]) -> list[Face]:
        for level in range(self._tile_levels):
            found = detect_in_tiles(self._detector, frame, level)
            faces = self._added(frame, faces, (self._in_tile(frame, d) for d in found))
            if len(faces) >= self._min_faces:
                break
        return faces

    def _added(
        self, frame: RGBFrame, faces: list[Face], found: Iterable[_Mesh | None]
    ) -> list[Face]:
        """The faces and, up to `max_faces`, those of `found` that are not among them."""
        grown = list(faces)
        for mesh in found:
            if len(grown) < self._max_faces and mesh is not None:
                face = self._whole(frame, *mesh)
                if not _is_among(face, grown):
                    grown.append(face)
            if len(grown) >= self._max_faces:
                break
        return grown

    def _detected(self, frame: RGBFrame, detection: Detection) -> _Mesh | None:
        """The mesh of a detection, if it is a face."""
        mesh = self._face(frame, region_from_detection(detection), PRESENCE_MIN)
        if mesh is None or detection.score >= SURE:
            return mesh
        return mesh if self._returned(frame, mesh) else None

    def _in_tile(self, frame: RGBFrame, detection: Detection) -> _Mesh | None:
        """The same of a detection in a tile, already as the next frames will see it: they follow by
        the region of the landmarks, in which the mesh settles a little differently."""
        mesh = self._face(frame, region_from_detection(detection), PRESENCE_MIN_TILE)
        if mesh is not None and detection.score < SURE:
            mesh = self._returned(frame, mesh)
        for _ in range(SETTLING):
            if mesh is not None:
                mesh = self._face(frame, region_from_mesh(mesh[0]), PRESENCE_MIN_TILE)
        return mesh

    def _returned(self, frame: RGBFrame, mesh: _Mesh) -> _Mesh | None:
        """The mesh looked for again in its own region; None if it is another one there."""
        again = self._face(frame, region_from_mesh(mesh[0]), PRESENCE_MIN_TILE)
        return again if again and _distance(mesh[0], again[0]) <= RETURN_MAX else None

    def _face(self, frame: RGBFrame, region: Region, presence_min: float) -> _Mesh | None:
        mesh_px, presence = self._landmarks(frame, region)
        return (mesh_px, presence) if presence > presence_min else None

    def _whole(self, frame: RGBFrame, mesh_px: NDArray[np.float32], presence: float) -> Face:
        height, width = frame.shape[:2]
        matrix = head_matrix(mesh_px, width, height, canonical_face())
        yaw, pitch, roll = pose_angles(rotation_of(matrix))
        landmarks_px = ibug_points(mesh_px[:, :2])
        return Face(
            box=np.concatenate([landmarks_px.min(axis=0), landmarks_px.max(axis=0)]),
            score=presence,
            landmarks_px=landmarks_px,
            yaw=yaw,
            pitch=pitch,
            roll=roll,
            mesh_px=mesh_px,
            blendshapes=self._blendshapes(mesh_px),
            matrix=matrix,
        )


def _distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Mean over the points of two meshes, in outer-eye distances of the first."""
    eyes = float(np.linalg.norm(one[33, :2] - one[263, :2]))
    return float(np.linalg.norm(one[:, :2] - other[:, :2], axis=1).mean()) / max(eyes, 1e-6)


def _is_among(face: Face, others: Sequence[Face]) -> bool:
    boxes = np.array([o.box for o in others]).reshape(-1, 4)
    return bool((box_overlap(face.box, boxes, of_smaller=True) > _SAME_FACE).any())
