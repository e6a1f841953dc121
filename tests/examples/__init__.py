"""A right call of each door of the package, room by room: what tests/helpers/misuse.py spoils."""
