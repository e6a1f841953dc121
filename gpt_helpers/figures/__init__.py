"""Everything that draws: no other room loads a drawing library.

Begin with show, which draws what several pages need, and charts, for what a reader moves by
sliders in a browser. A file whose name begins with show_ draws for one topic.
"""
