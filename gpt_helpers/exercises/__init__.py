"""What the exercises of the book call to check a reader's answer.

Begin with checks: each function tries what a reader wrote, and says in one line what is wrong.
"""
