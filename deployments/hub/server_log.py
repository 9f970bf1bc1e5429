"""Where a student's server writes its log: a file of the student's own, never the hub's log.

    python -I -S server_log.py FILE COMMAND ARGUMENT…

becomes the command, with its output in the file. The standard library alone is needed.
"""

from __future__ import annotations

import os
import sys


def write_to(path: str) -> None:
    """Let this process write to a file from its beginning; to nowhere when a student made that impossible.

    Called with the student's rights: a link that leads elsewhere is not followed, a pipe not waited for.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError:
        file = os.open(os.devnull, os.O_WRONLY)
    os.dup2(file, 1)
    os.dup2(file, 2)


if __name__ == "__main__":
    write_to(sys.argv[1])
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606
