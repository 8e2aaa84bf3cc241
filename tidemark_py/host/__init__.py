"""Hosts: the only place that imports js or pyodide.

contract   what roles may ask of a host
values     JavaScript values to Python and back
worker     a worker that runs roles (browser or Node)
page       where the user's Python runs: page main thread, or a worker, in a browser
node       the same on Node
web        fetch, gunzip and SHA-256 of the browser
fake       everything above under plain CPython, for tests
"""
