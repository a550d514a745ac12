"""The command on a real terminal of a given width."""

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from fcntl import ioctl

from tests.cli.samples import environment

_STYLE = re.compile(r"\x1b\[([\d;]*)m")


@dataclass(frozen=True)
class Screen:
    raw: str

    @property
    def lines(self) -> list[str]:
        return _STYLE.sub("", self.raw).replace("\r", "").splitlines()

    def styles_of(self, text: str) -> set[str]:
        """Give the styles in which a text is written, wherever it is; "" is none."""
        found, style, position = set(), "", 0
        for match in [*_STYLE.finditer(self.raw), None]:
            end = len(self.raw) if match is None else match.start()
            if text in self.raw[position:end]:
                found.add(style)
            if match is not None:
                style = "" if match[1] in {"", "0"} else match[1]
                position = match.end()
        return found


def in_terminal(width: int, *arguments: object, **more: str) -> Screen:
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "zerg_visibility", *map(str, arguments)],
        stdin=slave, stdout=slave, stderr=slave,
        env=environment(TERM="xterm-256color", PYTHONIOENCODING="utf-8", **more),
    )  # fmt: skip
    os.close(slave)
    written = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not chunk:
            break
        written += chunk
    os.close(master)
    assert process.wait() == 0, written.decode()
    return Screen(written.decode())
