"""The model and kernel code that every page of the book imports.

Axis letters, in shape comments and docstrings only:

    B  batch (sequences side by side)     H  attention heads
    T  queries (tokens being computed)    G  heads of keys and values, H or fewer
    S  keys (tokens that may be read)     D  width of one head
    V  vocabulary                         C  model width, C = H * D
    L  layers (blocks)                    F  width inside the MLP

Modules, in reading order:

    config     GPTConfig, the published sizes, TrainingSettings
    attention  the causal mask; attention as one equation, tile by tile, as PyTorch's kernel
    operands   what each attention accepts
    flash      attention as a Triton kernel; flash_kernels, what runs on the GPU
    model      GPTAttention, GPTMLP, GPTBlock, GPTModel, GPTLMHeadModel, KVCache
    variants   a folder: the families that differ from GPT-2, and their published sizes
    sampling   logits to logits: temperature, top-k, top-p; the generation loop
    speculative a draft proposes tokens, and the model checks several at once
    data       a corpus that every Python carries, byte-level BPE, batches
    scaling    parameters, FLOPs and bytes in closed form, without torch
    laws       published laws of the loss, and the best use of a budget; no torch either
    constraints laws where data run out, or where a model is used a lot
    fits       fitting a law of the loss to runs, with intervals; isoflop: the best size
    planner    what a budget buys; published: models by name, with sources
    memory     bytes that training keeps and sends, in closed form, without torch
    roofline   FLOPs and bytes of attention, and the speed that they allow; no torch
    peak       bytes that a function holds at once, measured
    batches    the windows that a training step reads, and those that a model is scored on
    training   learning rate, parameter groups, the loop; a command line of its own
    recipes    complete trainings by name
    state      what a run must remember to go on; checkpoint: the sealed file that holds it
    layout     how weights lie in memory
    pretrained a trained model as one file, and the one that ships with the book;
               gpt2_layout, GPT-2 as Hugging Face stores it; hub_files, its files
    distributed several processes: DDP and FSDP2
    scoring    nats per token, bits per byte, exact matches
    ngrams     what counting alone can predict
    syntax     the share of sampled functions that Python accepts
    budgets    small models on small budgets; sweep runs them, prediction foretells the largest
    tasks      a folder: small tasks whose right answers are known
    few_shot   learning from examples in the prompt; heads, what single heads read;
               formation, when heads that look back form
    reasoning  chains of thought; voting, the answer that most of them give
    tuning     instructions and preferences; lora, low-rank updates; preferences, their loss
    applications all these experiments, into one file
    trace      one forward pass as a list of steps
    show       everything that draws or displays; show_laws, laws and runs;
               show_tiles, tiles and the roofline; show_scores, right answers;
               show_models, published models; but for
    charts     charts with sliders; sampling_chart, that of one distribution; vegalite, their base
    checks     what the exercises call; verdicts, how it answers
"""
