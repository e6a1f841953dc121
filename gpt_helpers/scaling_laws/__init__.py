"""How many parameters, operations and tokens there are, and the loss that follows from them.

Begin with counts, then laws, fits and planner. Nothing here imports torch.
"""
