"""Drawings of ideas, and steppers: shapes and numbers come from real configs and traced passes.

Begin with canvas, the few things of which every drawing is made. Each other file draws what
one part of the book explains.
"""
