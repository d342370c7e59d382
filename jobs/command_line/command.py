"""How every command of jobs/ ends: one clear line and exit status 2 for a wrong call."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from cyclopts import App, CycloptsError
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from engines.errors import EngineError
from jobs.command_line.options.given import offer
from jobs.command_line.options.words import OPTION_OF
from jobs.command_line.stopping import stoppable
from jobs.errors import JobError
from jobs.ray_cluster import cluster
from keyframes.errors import KeyframeError
from pipeline.errors import PipelineError
from pipeline.storage.urls import told

RENAMED = {"--engine": "--editor"}
"""Options of the last release, for one more."""
WRONG_CALL = (JobError, KeyframeError, EngineError, PipelineError)


ENCODE_QUALITIES = ("match", "high", "lossless")


def run_command(app: App, arguments: Sequence[str] | None = None) -> int:
    """Runs a command line; its exit status. Wrong calls, files and curves print one line."""
    arguments = _renamed(sys.argv[1:] if arguments is None else arguments)
    called = app.name[0]
    try:
        names, commands, _ = app.parse_commands(arguments)
        called = " ".join((called, *(name for name in names if not name.startswith("-"))))
        for command in commands:
            offer(command.default_command, arguments)
        done = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        inner = error.__cause__
        return _refused(
            called, one_line(inner) if isinstance(inner, ValidationError) else str(error)
        )
    except ValidationError as error:
        return _refused(called, one_line(error))
    except WRONG_CALL as error:
        return _refused(called, str(error))
    except BrokenPipeError:
        return _reader_left()
    except OSError as error:  # a folder that cannot be written, a disk that is full
        return _refused(called, f"{error.filename or 'system'}: {error.strerror or error}")
    return done if isinstance(done, int) else 0


def _renamed(arguments: Sequence[str]) -> list[str]:
    """The arguments with options of the last release by their new names; says so."""
    new: list[str] = []
    for argument in _routed(arguments):
        name, equals, value = argument.partition("=")
        if name in RENAMED:
            print(f"note: {name} is now {RENAMED[name]}; this release takes both", file=sys.stderr)
        new.append(f"{RENAMED.get(name, name)}{equals}{value}")
    return new


def _routed(arguments: Sequence[str]) -> list[str]:
    """`--quality` by its word: an editor's own, or that of the encoder."""
    new = list(arguments)
    for place, argument in enumerate(new):
        name, equals, value = argument.partition("=")
        value = value if equals else new[place + 1] if place + 1 < len(new) else ""
        if name == "--quality" and (value in ENCODE_QUALITIES or value.isdigit()):
            new[place] = f"--encode-quality={value}" if equals else "--encode-quality"
    return new


def one_line(error: ValidationError) -> str:
    """What of a call's options is wrong, by their names on the command line."""
    return "; ".join(_readable(e) for e in error.errors())


def _readable(error: ErrorDetails) -> str:
    field = next(part for part in reversed(error["loc"]) if isinstance(part, str))
    place = OPTION_OF.get(field, field.replace("_", "-"))
    reason = error["msg"]
    return f"--{place}: got {error['input']!r}; {reason[0].lower()}{reason[1:]}"


def _refused(called: str, message: str) -> int:
    print(f"{called}: {told(' '.join(message.split()))}", file=sys.stderr)
    return 2


def _reader_left() -> int:
    """Who read our output has closed it (`| head`): end quietly, as tools do."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at exit
    return 128 + signal.SIGPIPE


def main_of(app: App) -> NoReturn:
    """What `if __name__ == "__main__"` calls."""
    try:
        with stoppable():
            sys.exit(run_command(app))
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        cluster.leave()
