"""What is told before the work: of an editor that wants a GPU and has none, memory and time."""

from rich.console import Console

from engines.choice import resolve
from engines.interface import CPUNeeds
from jobs.animation.announcing import announce, without_gpu


def test_the_time_on_a_cpu_is_told_before_the_first_frame():
    told = without_gpu(CPUNeeds(9_100_000_000, 45.0), 0.05)
    assert told.startswith("no GPU: each of its processes takes about 9.1 GB, an edited frame ")
    assert "about 15.0 min of all cores: a second at 25 fps 6.2 h (--quality draft" in told
    assert without_gpu(CPUNeeds(1_000_000_000), 1.0).endswith("as many run as memory holds")


def test_an_editor_that_wants_no_gpu_has_nothing_to_tell():
    assert resolve("editor", "previz").cpu_needs is None


def test_a_preview_is_called_one_and_an_editor_that_borrows_says_of_whom(capsys):
    announce(Console(width=200), resolve("editor", "previz"))
    assert "This is a PREVIEW: it shows timing, direction and amount; no skin folds." in out(capsys)
    announce(Console(width=200), resolve("editor", "plate"))
    told = out(capsys)
    assert "PREVIEW" not in told
    assert "The shot's own frames lend mouths, folds and shut eyes" in told


def out(capsys):
    return capsys.readouterr().out
