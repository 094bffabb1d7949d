"""Turn bytes into typed, bounded messages and back: the one place where a socket's bytes get a meaning."""
