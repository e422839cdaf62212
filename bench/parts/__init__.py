"""One file a subject. Each gives rows for what it measured."""
