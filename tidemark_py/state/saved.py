"""SavedFiles: what a page keeps of a file tree between visits: tar archives by path, in one checked envelope.

Reader and writer of the bytes; host/opfs.py stores them, Runtime.fs.save and load use both. The envelope is a header
(magic, format, body length, sha256 of the body) and a gzip'd JSON-and-tar body, so that a file that was cut short or
changed is refused whole and by name.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import struct
import zlib
from dataclasses import dataclass, field

from ..errors import TidemarkError

__all__ = ["SavedFiles"]

MAGIC = b"TDMKSAVE"
FORMAT = 1
HEADER = struct.Struct("<8sIIQ32s")
LENGTHS = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class SavedFiles:
    """path -> a tar archive of the tree below it."""

    trees: dict[str, bytes] = field(default_factory=dict)

    def pack(self) -> bytes:
        """The writer."""
        listing = json.dumps([[path, len(tar)] for path, tar in self.trees.items()]).encode()
        body = gzip.compress(LENGTHS.pack(len(listing)) + listing + b"".join(self.trees.values()), 1, mtime=0)
        return HEADER.pack(MAGIC, FORMAT, 0, len(body), hashlib.sha256(body).digest()) + body

    @classmethod
    def unpack(cls, data: bytes, name: str) -> SavedFiles:
        """The reader. Raises TidemarkError that names what was saved and what is wrong with it."""

        def refuse(why: str) -> TidemarkError:
            return TidemarkError(f"the saved files {name!r} are unusable: {why}. Nothing was changed and they are kept")

        if len(data) < HEADER.size:
            raise refuse(f"{len(data)} bytes are less than their header")
        magic, version, _, length, digest = HEADER.unpack_from(data)
        if magic != MAGIC:
            raise refuse("they do not begin as saved files do")
        if version != FORMAT:
            raise refuse(f"they are of format {version}, this is format {FORMAT}")
        body = data[HEADER.size :]
        if len(body) != length:
            raise refuse(f"they were cut short ({len(body)} of {length} bytes)")
        if hashlib.sha256(body).digest() != digest:
            raise refuse("they are corrupted (their sha256 differs)")
        try:
            plain = gzip.decompress(body)
            (size,) = LENGTHS.unpack_from(plain)
            at = LENGTHS.size + size
            trees = {}
            for path, tar_bytes in json.loads(plain[LENGTHS.size : at]):
                trees[str(path)] = plain[at : at + int(tar_bytes)]
                at += int(tar_bytes)
        except (ValueError, OSError, EOFError, struct.error, TypeError, zlib.error) as e:
            raise refuse(f"they cannot be read ({e})") from None
        if at != len(plain):
            raise refuse("their parts do not add up")
        return cls(trees)
