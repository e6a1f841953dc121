"""The published sizes that the families of this folder can build, and what they count.

On the meta device a model of any size is built in no time and no memory, and its parameters
can be counted: with torch.device("meta"): model = build("GPT-3 175B").
"""

import functools

from gpt_helpers.model import GPTLMHeadModel
from gpt_helpers.variants.gpt1 import GPT1Model
from gpt_helpers.variants.gpt3 import GPT3Model
from gpt_helpers.variants.gpt_neo import GPTNeoModel

GPT1 = functools.partial(GPTLMHeadModel, transformer=GPT1Model)
GPT3 = functools.partial(GPTLMHeadModel, transformer=GPT3Model)
GPT_NEO = functools.partial(GPTLMHeadModel, transformer=GPTNeoModel)
