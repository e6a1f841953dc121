"""The tests: a folder for each room, that is each folder, of the package, and four besides.

book opens the pages, house holds the rules for sources, mutations lists the faults that tests must
find, and helpers has what tests share.
"""
