"""What the roles do with processes: system calls of init, streams, spawning, the worker pool."""
