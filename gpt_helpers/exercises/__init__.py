"""What the exercises of the book call to check a reader's answer.

Begin with checks: each function tries what a reader wrote, and says what is wrong first.
"""
