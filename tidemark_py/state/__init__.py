"""Typed, versioned snapshots of the kernel's state, one module per category, each with its reader and writer.

envelope        the head of every snapshot as bytes: category, format version, ABI hash, checksum
kernel_runtime  counters, threads and processes at one look
fds ofd pipe socket thread child_exit memory   state records of the kernel, each a typed snapshot
records         how the kernel worker reads and writes them (kernel/host/state.c)
machine         `runtime.state`: the same from the page
events          records of the event ring
tree            a directory tree as a pax archive
"""

FORMAT_VERSION = 1
