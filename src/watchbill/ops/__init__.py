"""One function for each operation. Command line and Python API call these; nothing else does what they do."""
