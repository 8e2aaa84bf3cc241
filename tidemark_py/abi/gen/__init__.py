"""Generated from the tables of tidemark_py/abi: do not edit."""
