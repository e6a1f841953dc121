"""How good a model is: its loss, its accuracy, and the n-grams that it must beat.

Begin with losses, which says what is measured in nats and in bits, and go on to accuracy.
"""
