"""How good a model is: its loss, its right answers, and what it takes to beat counting.

Begin with losses, which says what is measured in nats and in bits, and go on to accuracy.
"""
