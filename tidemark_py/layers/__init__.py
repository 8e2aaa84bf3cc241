"""File layers: read, verify, fetch, make, unpack. Building one from Debian packages is build.py's work."""

from ..errors import LayerError
from .fetch import fetch
from .format import Entry, Layer
from .unpack import unpack
from .writer import LayerWriter

__all__ = ["Entry", "Layer", "LayerError", "LayerWriter", "fetch", "unpack"]
