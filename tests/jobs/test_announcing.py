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


def test_a_preview_that_borrows_is_told_with_the_folds_it_has(capsys):
    for name, folds in (("plate", "folds only where the shot lends them"), ("previz", "no skin")):
        announce(Console(width=200), resolve("editor", name))
        assert folds in capsys.readouterr().out
