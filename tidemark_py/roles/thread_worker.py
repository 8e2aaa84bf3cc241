"""The thread worker's contract. It runs no Python: js_shim/boot_thread.js obeys thread.boot and thread.start.

Owner's view: process/pool.py. For tests, host/fake.py has a thread worker of the same contract in Python; this Protocol
is what both promise.
"""

from __future__ import annotations

from ..abi.gen.messages import ThreadWorkerHandler

__all__ = ["ThreadWorkerHandler"]
