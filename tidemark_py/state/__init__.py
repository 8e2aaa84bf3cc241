"""Typed, versioned snapshots of the kernel's state, one module per category, each with its reader and writer.

kernel_runtime  counters, threads and processes at one look
events          records of the event ring
child_exit      how a child of init ended
tree            a directory tree as a pax archive
"""

FORMAT_VERSION = 1
