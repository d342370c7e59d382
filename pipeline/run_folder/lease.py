"""One run per output: who writes it says so beside it, and the claim ends with its process.

A claim is a small file in the output's folder that names its run: host, process, since when, and a
lock that the run holds as long as it lives. The system frees that lock with the process, however it
ends, and keeps it while the process is merely stopped; so a dead run's claim is taken over at once
and a paused one's never. A worker that publishes asks first whether the claim is still its run's.

The lock says where the run writes: what it leaves there half-written is removed at its end, and
where it is killed, by the run that takes an output of it over.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import socket
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import psutil

from pipeline.errors import PipelineError
from pipeline.files import make_folder, read_json
from pipeline.partials import PARTIAL, sweep_partials
from pipeline.storage.urls import url_of


class BusyError(PipelineError):
    """An output that another run is writing."""


@dataclass(frozen=True)
class Owner:
    """A run, as its claims name it.

    Attributes:
        token: names the run, nobody else's.
        host, pid: where it runs.
        place: its kernel and process namespace: within one, process numbers can be compared.
        started: of the process, seconds since 1970: a number that is given again is another's.
        since: when the run began, for people.
        lock: path of the file that it holds locked.
    """

    token: str
    host: str
    pid: int
    place: str
    started: float
    since: str
    lock: str

    @classmethod
    def here(cls, token: str, lock: Path) -> Owner:
        """This process."""
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        started = psutil.Process().create_time()
        return cls(token, socket.gethostname(), os.getpid(), _place(), started, since, str(lock))

    def is_dead(self) -> bool:
        """Whether the run is over; False where that cannot be known."""
        if self.place and self.place == _place():
            return not _is_process(self.pid, self.started)
        return _is_free(Path(self.lock))


def _place() -> str:
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return ""


def _is_process(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and abs(process.create_time() - started) < 1.0
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def _is_free(lock: Path) -> bool:
    """Whether nobody holds a run's lock; gone with its folder still there counts as free."""
    try:
        with lock.open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return lock.parent.is_dir()
    except OSError:
        return False  # held, or a file system without locks
    return True


def claim_path(output: Path) -> Path:
    """Where the claim on an output lies: in its folder, whatever name the folder is reached by."""
    name = hashlib.sha256(os.fsencode(output.name)).hexdigest()[:12]
    return output.with_name(f"{PARTIAL}{name}.lease")


class Run:
    """This run's claims; a context manager that gives them up at its end."""

    def __init__(self, token: str, folder: Path) -> None:
        """
        Args:
            token: names the run.
            folder: keeps the run's lock while it lives; other runs must be able to see it.
        """
        self.token = token
        self._lock = folder / f"{PARTIAL}{token}.run"
        self._held: FileIO | None = None
        self._claims: list[Path] = []
        self._places: dict[str, list[str]] = {}

    def claim(self, output: Path) -> None:
        """Takes an output for this run.

        Raises:
            BusyError: another run is writing it; the line says which.
            OSError: its folder cannot be written.
        """
        self._hold()
        make_folder(output.parent)
        path = claim_path(output)
        with _opened(path) as file:
            owner = _owner(file)
            if owner is not None and owner.token != self.token and not owner.is_dead():
                raise BusyError(_busy(output, owner, path))
            if owner is not None and owner.token != self.token:
                _tidy_after(Path(owner.lock))
            file.seek(0)
            file.truncate()
            file.write(json.dumps(asdict(Owner.here(self.token, self._lock))).encode())
            file.flush()
        self._claims.append(path)

    def writes_in(self, alone: Iterable[Path], shared: Iterable[Path]) -> None:
        """Notes where half-written files of this run can be.

        Args:
            alone: folders in which nobody else may write as long as this run has its claims.
            shared: others.
        """
        held = self._hold()
        self._places = {"alone": sorted(map(str, alone)), "shared": sorted(map(str, shared))}
        with suppress(OSError):  # a full disk, which the work may wait for
            held.seek(0)
            held.truncate()
            held.write(json.dumps(self._places).encode())

    def _hold(self) -> FileIO:
        if self._held is None:
            make_folder(self._lock.parent)
            self._held = self._lock.open("wb", buffering=0)
            with suppress(OSError):  # without locks, the process number still tells on this host
                fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self._held

    def release(self) -> None:
        """Removes what is left half-written, and gives up all claims."""
        _tidy(self._places)
        for path in self._claims:
            with suppress(OSError), _opened(path, create=False) as file:
                owner = _owner(file)
                if owner is not None and owner.token == self.token:
                    path.unlink()
        self._claims.clear()
        if self._held is not None:
            with suppress(OSError):
                self._lock.unlink()
            self._held.close()
            self._held = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _tidy(places: dict[str, list[str]]) -> None:
    for folder in places.get("alone", ()):
        sweep_partials(Path(folder), every=True)
    for folder in places.get("shared", ()):
        sweep_partials(Path(folder))


def _tidy_after(lock: Path) -> None:
    """Removes what a dead run left half-written where its lock says that it wrote."""
    places: Any = read_json(lock)
    _tidy(places if isinstance(places, dict) else {})
    lock.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path, *, create: bool = True) -> Generator[BinaryIO]:
    """A claim's file, nobody else reading or writing it meanwhile."""
    flags = os.O_RDWR | (os.O_CREAT if create else 0)
    while True:
        with os.fdopen(os.open(path, flags, 0o666), "rb+") as file:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_still(path, file):
                continue  # given up, and so removed, while we waited
            yield file
            return


def _is_still(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _owner(file: BinaryIO) -> Owner | None:
    try:
        found: dict[str, Any] = json.loads(file.read() or b"null")
        return Owner(**found) if found else None
    except (ValueError, TypeError):
        return None  # half-written by a run that was cut off


def _busy(output: Path, owner: Owner, path: Path) -> str:
    who = f"host {owner.host}, process {owner.pid}, since {owner.since}"
    line = f"{output}: another run ({who}) is writing this; wait for its end, or stop it"
    if owner.place == _place():
        return line
    return f"{line}; if that machine is gone, remove {path}"


def check_claimed(output: Path, token: str) -> None:
    """Refuses to publish for a run that has lost its claim.

    Claims on objects in stores lie on the machine that runs the job, and hold there alone.

    Raises:
        PipelineError: another run has taken the output over, or nobody claims it any more.
    """
    try:
        with claim_path(output).open("rb") as file:
            owner = _owner(file)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        owner = None
    if owner is None and url_of(output):
        return
    if owner is None or owner.token != token:
        by = f"run on {owner.host}, process {owner.pid}" if owner else "run: its claim is gone"
        raise PipelineError(f"{output}: was taken over by another {by}; nothing was published")
