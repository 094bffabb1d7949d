"""The command line `murmur`: one module for each family of commands, loaded only when one of them is called."""
