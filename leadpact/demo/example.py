"""Find the example company, Acme: its pact, its people, and the leads that come in on one Tuesday morning."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import leadpact
from leadpact.errors import Refused

File = tuple[str, bytes]
"""A name and what is in it."""

_NUMBER = re.compile(r"-[0-9]+-")


@dataclass(frozen=True, slots=True)
class FormPost:
    """A visitor's answers as the web page sends them: JSON, whatever the form calls its fields."""

    name: str
    source: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Example:
    """The files of ``examples/acme``, and the receiver beside it."""

    folder: Path

    @classmethod
    def find(cls) -> Example:
        """In the installed package, or beside it in a checkout. Raises ``Refused`` where there is neither."""
        package = Path(leadpact.__file__).parent
        for folder in (package / "examples" / "acme", package.parent / "examples" / "acme"):
            if (folder / "pact.yaml").is_file():
                return cls(folder)
        raise Refused("The example files are missing from this installation.")

    @property
    def pact(self) -> bytes:
        return (self.folder / "pact.yaml").read_bytes()

    @property
    def reps(self) -> bytes:
        return (self.folder / "reps.csv").read_bytes()

    @property
    def accounts(self) -> bytes:
        return (self.folder / "accounts.csv").read_bytes()

    @property
    def badge_scans(self) -> File:
        """What a trade fair's scanners recorded: semicolons, German headings, typing errors and a total."""
        return self._file("hannover-messe.csv")

    @property
    def vendor_list(self) -> File:
        """A content-syndication vendor's delivery, some leads of it outside of the contract."""
        return self._file("netline.xlsx")

    @property
    def receiver(self) -> Path:
        """The webhook receiver that people copy."""
        return self.folder.parent / "receiver" / "receiver.py"

    @property
    def forms(self) -> list[FormPost]:
        """The posts in the order of their file names, ``<source>-<number>-<who>.json``."""
        files = sorted((self.folder / "forms").glob("*.json"))
        return [FormPost(file.stem, _NUMBER.split(file.stem)[0], file.read_bytes()) for file in files]

    def _file(self, name: str) -> File:
        return name, (self.folder / name).read_bytes()
