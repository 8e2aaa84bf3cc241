"""What people import beyond the runtime: terminal (later: providers, network policy)."""
