"""The peer: PyTorch + PEFT, as one trains a LoRA with them.

    pytorch.py check FOLDER       what FOLDER/run.json asks for; writes FOLDER/result.json and FOLDER/gradient.safetensors
    pytorch.py steps FOLDER       a line of numbers of steps on standard input, a line of JSON for each on standard output;
                                  to the line "products", what share of a step is products of matrices

FOLDER/run.json: `hub` (folder of the base), `task`, `spec` (Chimera's specification of an adapter), `labels` (their number),
`batches` (examples of each step), `steps`; FOLDER/adapter: the adapter to begin with, in PEFT's files. Everything here is written from
the papers and PyTorch's documentation, nothing is taken over from the other side but weights and tokens.
"""

import json
import math
import pathlib
import sys
import time

import torch
from peft import PeftModel
from safetensors.torch import save_file
from torch.nn import functional
from transformers import AutoModelForCausalLM, BertForSequenceClassification
from transformers.modeling_outputs import SequenceClassifierOutput


class MeanBert(BertForSequenceClassification):
    """A BERT whose classifier reads the mean over tokens."""

    def forward(self, input_ids, attention_mask, **_):
        states = self.bert(input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        return SequenceClassifierOutput(logits=self.classifier((states * mask).sum(1) / mask.sum(1)))


def load(path, run, trainable=False):
    """The base with the adapter of a folder. Without dropout, as in all that is compared here: in `eval` mode."""
    if run["task"] == "classification":
        base = MeanBert.from_pretrained(run["hub"], num_labels=run["labels"])
    else:
        base = AutoModelForCausalLM.from_pretrained(run["hub"])
    return PeftModel.from_pretrained(base, path, is_trainable=trainable).eval()


def padded(rows):
    longest = max(len(row["tokens"]) for row in rows)
    tokens = torch.tensor([row["tokens"] + [0] * (longest - len(row["tokens"])) for row in rows])
    mask = torch.tensor([[1] * len(row["tokens"]) + [0] * (longest - len(row["tokens"])) for row in rows])
    return tokens, mask


def masked_labels(rows, tokens):
    """The tokens that are predicted, -100 elsewhere: the first of a row is never one, nor is what is given."""
    labels = torch.full_like(tokens, -100)
    for i, row in enumerate(rows):
        end = len(row["tokens"])
        labels[i, row["given"] : end] = tokens[i, row["given"] : end]
    return labels


def answers(model, rows):
    """The log-probability of each row's answer."""
    tokens, mask = padded(rows)
    labels = masked_labels(rows, tokens)[:, 1:]
    logs = model(input_ids=tokens, attention_mask=mask).logits[:, :-1].log_softmax(-1)
    picked = logs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return (picked * (labels != -100)).sum(1)


def loss_of(model, run, examples):
    rows = [row for example in examples for row in example["rows"]]
    if run["task"] == "classification":
        tokens, mask = padded(rows)
        labels = torch.tensor([example["label"] for example in examples])
        return functional.cross_entropy(model(input_ids=tokens, attention_mask=mask).logits, labels)
    if run["task"] == "causal":
        tokens, mask = padded(rows)
        return model(input_ids=tokens, attention_mask=mask, labels=masked_labels(rows, tokens)).loss
    with torch.no_grad(), model.disable_adapter():
        reference = answers(model, rows)
    gains = answers(model, rows) - reference
    return -functional.logsigmoid(run["spec"]["beta"] * (gains[0::2] - gains[1::2])).mean()


def outputs_of(model, run, examples):
    rows = [row for example in examples for row in example["rows"]]
    tokens, mask = padded(rows)
    with torch.no_grad():
        logits = model(input_ids=tokens, attention_mask=mask).logits
    return logits if run["task"] == "classification" else logits[0, : len(rows[0]["tokens"])]


def rate_at(step, spec):
    rise = math.floor(spec["warmup"] * spec["steps"] + 0.5)
    if step < rise:
        return (step + 1) / rise
    way = (step - rise) / max(1, spec["steps"] - rise)
    return {"constant": 1, "linear": 1 - way, "cosine": (1 + math.cos(math.pi * way)) / 2}[spec["schedule"]]


class Training:
    def __init__(self, model, run):
        self.model, self.run, spec = model, run, run["spec"]
        self.trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, lr=spec["learningRate"], weight_decay=spec["weightDecay"])
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: rate_at(step, spec))
        self.steps = 0

    def step(self):
        self.optimizer.zero_grad()
        loss = loss_of(self.model, self.run, self.run["batches"][self.steps % len(self.run["batches"])])
        loss.backward()
        if self.run["spec"]["clip"] > 0:
            torch.nn.utils.clip_grad_norm_(self.trained, self.run["spec"]["clip"])
        self.optimizer.step()
        self.schedule.step()
        self.steps += 1
        return loss.item()


def saved_name(name):
    return name.replace(".default", "").replace(".modules_to_save", "")


def check(folder, run):
    model = load(folder / "adapter", run, trainable=True)
    first = run["batches"][0]
    loss_of(model, run, first).backward()
    save_file(
        {
            saved_name(name): parameter.grad.contiguous()
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        },
        folder / "gradient.safetensors",
    )
    training = Training(model, run)
    losses = [training.step() for _ in range(run["steps"])]
    # What was trained here, in PEFT's files, and what it answers.
    model.save_pretrained(folder / "trained")
    logits = {"trained": outputs_of(model, run, first).flatten().contiguous()}
    for name in run["adapters"]:
        logits[name] = outputs_of(load(folder / name, run), run, first).flatten().contiguous()
    save_file(logits, folder / "logits.safetensors")
    (folder / "result.json").write_text(json.dumps({"losses": losses}))


def peak():
    """Most memory that this process has held, in bytes."""
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1])


PRODUCTS = {"aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm"}


def share_of_products(training):
    """Of the time of a step; products inside of fused attention are not counted."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(3):
            training.step()
    times = {event.key: event.self_cpu_time_total for event in profile.key_averages()}
    return sum(time for key, time in times.items() if key in PRODUCTS) / sum(times.values())


def steps(folder, run):
    training = Training(load(folder / "adapter", run, trainable=True), run)
    for line in sys.stdin:
        question = json.loads(line)
        if question == "products":
            print(json.dumps({"products": share_of_products(training)}), flush=True)
            continue
        begun, busy = time.perf_counter(), time.process_time()
        for _ in range(question):
            training.step()
        took = {"seconds": time.perf_counter() - begun, "busy": time.process_time() - busy, "peak": peak()}
        print(json.dumps(took), flush=True)


def main(command, folder):
    torch.set_num_threads(1)
    folder = pathlib.Path(folder)
    {"check": check, "steps": steps}[command](folder, json.loads((folder / "run.json").read_text()))


main(*sys.argv[1:3])
