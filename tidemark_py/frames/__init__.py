"""Frames: pictures and vertices from guests to the page without copies or locks, and the page's input to guests.

channel  Frame, and FrameReader: the newest whole frame of a guest's /dev/frameN or of /dev/fb0
queue    Queue: records between Python and workers
board    RuntimeFrames: `rt.frames`
"""

from .channel import Frame, FrameReader, StaleHandleError
from .queue import Queue

__all__ = ["Frame", "FrameReader", "Queue", "StaleHandleError"]
