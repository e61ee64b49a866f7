"""A child process that cannot outlive us, whichever way we end.

It runs below a small shell, the watchdog, that waits on a pipe of which we hold the other end. The
kernel closes our end however we end, and then the watchdog ends the child. Both are in a session
and a process group of their own, so that neither Ctrl-C nor a signal to our group reaches them.

The watchdog is the parent of the child, and waits on the pipe before the child exists: there is no
moment in which we could be killed and leave the child behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from receiver.errors import ConfigurationError

_NAME: Final = "yizhan-watchdog"
GRACE_S: Final = 10
"""How long the child may take to close its files before it is killed."""

_KILLED_S: Final = 0.1
"""How long a killed child is waited for."""

_SHELL: Final = "/bin/sh"
_SCRIPT: Final = f"""
trap '' TERM PIPE
umask 077
log=$1
shift
exec 3<&0 4<&2 </dev/null 2>/dev/null
{{
    read -r line <&3
    for second in {" ".join(map(str, range(GRACE_S)))}; do
        kill -TERM 0
        PATH=$PATH:/bin:/usr/bin sleep 1
    done
    kill -KILL 0
}} >/dev/null 4<&- &
reader=$!
{{ trap - TERM PIPE; exec "$@"; }} >/dev/null 2>>"$log" 3<&- &
child=$!
echo "$child"
exec >&- 3<&- 4<&-
wait "$child"
kill -KILL "$reader"
wait "$reader"
kill -KILL 0
"""
"""Standard input is the pipe. Standard error is the lock, which the child alone keeps open: it is
passed so because a shell cannot name a descriptor above 9. To kill 0 is to kill the whole group;
TERM goes out every second, since the child may just be starting when the pipe closes. PIPE would
end the shell where we are killed before we read the child's process id."""


class WatchedProcess:
    """A child process of ours and its watchdog."""

    def __init__(self, shell: asyncio.subprocess.Process, leash: int) -> None:
        self._shell = shell
        self._leash: int | None = leash
        self.pid = 0

    @classmethod
    async def spawn(cls, *command: str, cwd: Path, log: str, lock: int) -> Self:
        """Run `command` in `cwd`, its standard error appended to `log`.

        The child inherits the descriptor `lock` and holds it as long as it lives. What it writes
        is private to us, and it gets none of our settings.
        """
        end, leash = os.pipe()
        try:
            shell = await asyncio.create_subprocess_exec(
                *(_SHELL, "-c", _SCRIPT, _NAME, log, *command),
                cwd=cwd,
                env=_without_settings(os.environ),
                stdin=end,
                stdout=asyncio.subprocess.PIPE,
                stderr=lock,
                start_new_session=True,
            )
        except BaseException as error:
            os.close(leash)
            if isinstance(error, OSError):
                raise ConfigurationError(f"cannot run {_SHELL}: {error.strerror}") from error
            raise
        finally:
            os.close(end)
        process = cls(shell, leash)
        try:
            process.pid = await process._told_pid()
        except BaseException:
            await process.end()
            raise
        return process

    @property
    def ended(self) -> bool:
        """Whether the child has ended, or its watchdog has."""
        return self._shell.returncode is not None

    async def wait(self) -> None:
        """Return once it has `ended`."""
        await self._shell.wait()

    async def end(self, *, within_s: float | None = None) -> None:
        """Have the watchdog end the child; where that takes longer than `within_s` (by default
        `GRACE_S`), kill both.

        A child whose watchdog was killed alone may end later; it holds its lock. One that
        the kernel does not let go, since its disk hangs, is left behind.
        """
        if self._leash is not None:
            os.close(self._leash)
            self._leash = None
        try:
            async with asyncio.timeout(GRACE_S if within_s is None else within_s):
                await self._shell.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._shell.pid, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_KILLED_S):
                    await self._shell.wait()

    async def _told_pid(self) -> int:
        assert self._shell.stdout is not None
        line = await self._shell.stdout.readline()
        if not line:
            raise ConfigurationError(f"{_SHELL} ended before it started the process")
        return int(line)


def _without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without our variables: some hold secrets, and a child needs none of them."""
    return {k: v for k, v in environ.items() if not k.upper().startswith("YIZHAN_")}
