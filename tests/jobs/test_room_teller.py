from rich.console import Console

from jobs.command_line import room
from jobs.command_line.room import LOOK_SHARE, RoomTeller


class Slow:
    """A folder whose listing takes two seconds of a pretended clock."""

    def __init__(self) -> None:
        self.looks, self.now = 0, 100.0

    def glob(self, _pattern):
        self.looks, self.now = self.looks + 1, self.now + 2.0
        return iter(())

    def monotonic(self) -> float:
        return self.now


def test_many_folders_are_looked_through_a_twentieth_of_the_time(monkeypatch):
    folder = Slow()
    monkeypatch.setattr(room, "time", folder)
    teller = RoomTeller([folder], [], Console(quiet=True))
    teller.tell()
    folder.now += LOOK_SHARE * 2.0 - 1.0
    teller.tell()
    assert folder.looks == 1
    folder.now += 1.5
    teller.tell()
    assert folder.looks == 2
