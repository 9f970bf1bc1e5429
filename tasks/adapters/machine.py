"""Running commands on a machine: what every machine promises, and the one that we are on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Protocol, cast

from models.errors import StepFailed

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KILLED_SECONDS = 2
NOT_EXECUTABLE, NOT_FOUND = 126, 127  # as shells report them

OnLine = Callable[[bytes], None]


@dataclass(frozen=True)
class Completed:
    """A command that ended: its exit status (128 + n when signal n killed it) and its output."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def last_lines(self) -> str:
        """The end of what it wrote, for a person: at most 5 lines and 1,000 characters."""
        text = (self.stdout[-2000:] + b"\n" + self.stderr[-2000:]).decode(errors="replace")
        return "\n".join([line for line in text.splitlines() if line.strip()][-5:])[-1000:]


class Machine(Protocol):
    """A machine that runs argument lists; no shell ever reads them.

    `name` is what people call it. `python` starts a Python of at least 3.9 there, with the rights that the
    work on seats needs (so it may begin with sudo). `seat_agent` starts the seat agent that is installed there
    with those rights; where none is, it is empty, and the agent travels.
    """

    name: str
    python: Sequence[str]
    seat_agent: Sequence[str]

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        stdout_to: Path | None = None,
        on_line: OnLine | None = None,
        timeout_seconds: float,
    ) -> Completed:
        """Run a command, feed it `stdin`, and return how it ended, whatever its exit status.

        With `stdout_to`, its output goes to that file, which appears whole, for nobody else to read, when the
        command succeeded, and is left alone when it did not. With `on_line`, each line that it writes is handed
        over as it comes, without its end; a last one that has no end is not, and `stdout` stays empty. A
        command that can't be started ends with 126 or 127.

        Raises StepFailed: `timeout` when it took too long, it and its children being killed;
        `machine_unreachable` when the machine can't be reached, or was lost on the way.
        """
        ...


async def run_checked(
    machine: Machine,
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    stdout_to: Path | None = None,
    timeout_seconds: float,
) -> Completed:
    """Run a command that must succeed; raise StepFailed (`command_failed`) when its status is not 0."""
    done = await machine.run(argv, stdin=stdin, stdout_to=stdout_to, timeout_seconds=timeout_seconds)
    if done.status:
        raise StepFailed(
            f"{short_command(argv)} failed on {machine.name} with exit status {done.status}.",
            reason="command_failed",
            detail=done.last_lines,
        )
    return done


class LocalMachine:
    """The machine that this process runs on. Commands get a plain environment, none of our variables."""

    def __init__(
        self,
        name: str = "local",
        python: Sequence[str] = (sys.executable,),
        seat_agent: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.python = python
        self.seat_agent = seat_agent

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        stdout_to: Path | None = None,
        on_line: OnLine | None = None,
        timeout_seconds: float,
    ) -> Completed:
        """Run a command as `Machine.run` promises."""
        with delivery(stdout_to) as output:
            try:
                process = await asyncio.create_subprocess_exec(
                    *argv,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=output.file or asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    start_new_session=True,
                    cwd="/",
                    env={"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", "HOME": str(Path.home())},
                )
            except OSError as error:
                status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
                return Completed(status, b"", str(error).encode())
            try:
                async with asyncio.timeout(timeout_seconds):
                    if on_line:
                        stdout, stderr = b"", await _hand_over_lines(process, stdin, on_line)
                    else:
                        stdout, stderr = await process.communicate(stdin)
            except BaseException as error:
                await _kill_group(process)
                if isinstance(error, TimeoutError):
                    raise timed_out(argv, self.name, timeout_seconds) from None
                raise
            done = Completed(exit_status(process.returncode or 0), stdout or b"", stderr)
            output.is_whole = done.status == 0
            return done


async def _hand_over_lines(process: asyncio.subprocess.Process, stdin: bytes, on_line: OnLine) -> bytes:
    feeding = asyncio.create_task(_feed(cast(asyncio.StreamWriter, process.stdin), stdin))
    errors = asyncio.create_task(cast(asyncio.StreamReader, process.stderr).read())
    try:
        await read_lines(cast(asyncio.StreamReader, process.stdout).read, on_line)
        await feeding
        stderr = await errors
        await process.wait()
        return stderr
    finally:
        feeding.cancel()
        errors.cancel()
        await asyncio.gather(feeding, errors, return_exceptions=True)


async def _feed(stream: asyncio.StreamWriter, stdin: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        stream.write(stdin)
        await stream.drain()
    stream.close()


async def read_lines(read: Callable[[int], Awaitable[bytes]], on_line: OnLine) -> None:
    """Hand over each whole line that is read, of any length, without its end."""
    rest: list[bytes] = []
    while block := await read(65536):
        first, *lines = block.split(b"\n")
        rest.append(first)
        for line in lines:
            on_line(b"".join(rest))
            rest = [line]


async def _kill_group(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(KILLED_SECONDS):
            await process.communicate()  # its pipes end with it, unless a child left the group


def exit_status(returncode: int) -> int:
    """Return the status that a shell would report for a return code that is -n after signal n."""
    return returncode if returncode >= 0 else 128 - returncode


def timed_out(argv: Sequence[str], machine: str, timeout_seconds: float) -> StepFailed:
    """Return the error of a command that took too long."""
    return StepFailed(
        f"{short_command(argv)} on {machine} was stopped after {timeout_seconds:g} seconds.", reason="timeout"
    )


def short_command(argv: Sequence[str]) -> str:
    """Return the command as a person would name it: the program and the start of its first arguments."""
    words = [Path(argv[0]).name, *(word.splitlines()[0] if word else "''" for word in argv[1:3])]
    text = " ".join(words)
    return text if len(text) <= 60 else text[:59] + "…"


@dataclass
class Delivery:
    """A file being filled aside; it gets its name at the end if `is_whole`."""

    file: BinaryIO | None
    is_whole: bool = False


@contextmanager
def delivery(path: Path | None) -> Iterator[Delivery]:
    """Fill the file `path` aside and give it its name when it is whole; None: nothing to fill."""
    if path is None:
        yield Delivery(None)
        return
    aside = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            delivered = Delivery(file)
            yield delivered
        if delivered.is_whole:
            aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
