"""Runs that answer the questions of the book, and what they measured, in results/."""
