"""Typed messages between roles: values on the wire, replies, ports."""

from .later import Later
from .port import Port

__all__ = ["Later", "Port"]
