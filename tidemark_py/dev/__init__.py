"""Development tools: generators, builders, runners. Not part of the wheel."""
