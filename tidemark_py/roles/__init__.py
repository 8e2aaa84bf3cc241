"""Roles: what runs in the workers, as classes that talk through typed messages."""
