"""What people import beyond the runtime: the Python half of the HTML elements (later: providers, network policy)."""
