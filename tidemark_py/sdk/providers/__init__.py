"""Providers: where a root's files come from, and how they get into it.

from tidemark_py.sdk.providers import Oci, install
done = await install(rt.fs, Oci("images/debian"), progress=print)
text = done.lock.dumps()                                # the same tree again:
await install(other.fs, lock=Lock.loads(text))
"""

from .cache import DirectoryCache, MemoryCache, default_cache
from .contract import Cache, Item, Progress, Provider, Response, Source
from .debian import Debian
from .install import Installed, install
from .lock import Lock
from .oci import Oci, OciRegistry
from .source import LocalSource, WebSource
from .static import Archive, Static

__all__ = [
    "Archive",
    "Cache",
    "Debian",
    "DirectoryCache",
    "Installed",
    "Item",
    "LocalSource",
    "Lock",
    "MemoryCache",
    "Oci",
    "OciRegistry",
    "Progress",
    "Provider",
    "Response",
    "Source",
    "Static",
    "WebSource",
    "default_cache",
    "install",
]
