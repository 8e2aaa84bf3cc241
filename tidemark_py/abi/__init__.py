"""ABI tables (TOML) and what is generated from them."""
