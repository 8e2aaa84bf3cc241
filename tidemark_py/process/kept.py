"""Directories whose changes are kept, as RuntimeFS has them: messages to the kernel worker (roles/keeper.py)."""

from __future__ import annotations

from ..abi.gen import messages as m
from ..channel.port import Port

__all__ = ["KeptDirectories"]


class KeptDirectories:
    """Part of RuntimeFS."""

    _port: Port

    async def keep(self, path: str, name: str, *, read_only: bool = False, size: int = 0, root: int = 0) -> bool:
        """Mount at directory `path` what this browser keeps under `name`; True when that is nothing yet.

        Then it starts with what `path` has. From now on what guests and Python change there is kept, in the origin's
        private file system: fsync(2), sync(2) and sync() are durable, all else within a second, and a tab that is
        killed leaves the tree of one moment. unmount() ends it. size: most bytes of file bodies (0: what the quota
        gives); beyond it writes are ENOSPC. One tab at a time: OSError(EBUSY) in another, where read_only=True shows
        what is kept by then. Raises SnapshotError when it is damaged: then it is left as it is.
        """
        return (await self._port.request(m.FsKeep(root, path, name, read_only, size))).new

    async def sync(self) -> None:
        """Wait until all that was changed in kept directories is durable. Raises OSError(ENOSPC) at the quota."""
        await self._port.request(m.FsSync())

    async def forget_kept(self, name: str) -> None:
        """Remove what keep() kept under `name`. Raises OSError(EBUSY) while it is mounted."""
        await self._port.request(m.FsForgetKept(name))
