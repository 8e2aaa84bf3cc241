"""Linux userland in a browser tab, driven from Python."""
