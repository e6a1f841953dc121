"""Programs for those who write the book."""
