"""The sections of fleet.yaml, exactly as written in the file: one class each, in a module by subject."""
