"""Models that answer, in one thread, to lines of JSON: sentence-transformers (embed FOLDER) or llama.cpp (generate GGUF, logits GGUF)."""

import json
import subprocess
import sys
import time


def embedder(folder):
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    # A folder without a list of modules: means of the hidden states, as the model was trained with.
    model = SentenceTransformer(folder, device="cpu")

    def embed(texts):
        return model.encode(texts, batch_size=len(texts), normalize_embeddings=True, show_progress_bar=False)

    def answer(question):
        """One request after another, each of some texts; the vectors where they are asked for."""
        begun, busy = time.perf_counter(), time.process_time()
        vectors = [embed(texts) for texts in question["requests"]]
        took = {"seconds": time.perf_counter() - begun, "busy": time.process_time() - busy}
        return {**took, "vectors": [row.tolist() for one in vectors for row in one] if question["vectors"] else []}

    return answer


def llama(gguf, repacked, **options):
    import llama_cpp.llama_cpp as library
    from llama_cpp import Llama

    defaults = library.llama_model_default_params

    def params():
        own = defaults()
        own.use_extra_bufts = repacked
        return own

    library.llama_model_default_params = params
    return Llama(gguf, n_threads=1, n_threads_batch=1, n_ctx=1024, verbose=False, **options)


def generator(gguf):
    # Weights repacked for the processor's matrix tiles: on some virtual machines that ends in a segmentation fault.
    tried = subprocess.run([sys.executable, "-I", __file__, "try", gguf], stderr=subprocess.DEVNULL)
    model = llama(gguf, repacked=tried.returncode == 0)

    def answer(question):
        """The likeliest token, again and again, whatever it is."""
        prompt = model.tokenize(question["prompt"].encode(), special=True)
        model.reset()
        begun, busy = time.perf_counter(), time.process_time()
        model.eval(prompt)
        tokens = [model.sample(temp=0.0)]
        first = time.perf_counter()
        while len(tokens) < question["tokens"]:
            model.eval(tokens[-1:])
            tokens.append(model.sample(temp=0.0))
        ended = time.perf_counter()
        ends = [i for i, token in enumerate(tokens) if token == model.token_eos()]
        text = model.detokenize(tokens[: ends[0]] if ends else tokens).decode(errors="replace")
        took = {"first": first - begun, "rest": ended - first, "busy": time.process_time() - busy}
        return {**took, "tokens": len(tokens), "text": text}

    return answer


def scorer(gguf):
    # Keys and values are kept in half precision by default.
    single = {"type_k": 0, "type_v": 0, "flash_attn": False}
    model = llama(gguf, repacked=False, logits_all=True, **single)

    def answer(question):
        """What the model says of the token after the last one."""
        model.reset()
        model.eval(question["tokens"])
        return {"logits": model.scores[len(question["tokens"]) - 1].tolist()}

    return answer


if sys.argv[1] == "try":
    own = llama(sys.argv[2], repacked=True)
    own.eval(own.tokenize(b"A prompt of more than a few tokens, as many as one reads at once. " * 4))
    sys.exit()

answers = {"embed": embedder, "generate": generator, "logits": scorer}[sys.argv[1]](sys.argv[2])
for line in sys.stdin:
    print(json.dumps(answers(json.loads(line))), flush=True)
