"""Submit, watch and store: the Python API, the command line, files in the ring and the live view."""
