"""The tests: a folder for each room of the package, the book and the house; helpers too."""
