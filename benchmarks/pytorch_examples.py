"""The PyTorch side of the comparison with the example programs char_lm, gpt and gan: the same nets, losses, optimizers and
batches as in examples/*.cpp, each in the forms that PyTorch offers for it.

`train` says how many characters or pictures a second one epoch takes in one of those forms.
"""

import pathlib
import time

FORMS = {
    "char_lm": ("batch_first", "time_first"),
    "gpt": ("MultiheadAttention", "written_out", "scaled_dot_product"),
    "gan": ("contiguous", "channels_last"),
}


def forms_of(torch, model):
    """Those that this PyTorch has; None for a model that is no example program's."""
    forms = FORMS.get(model)
    if forms and not hasattr(torch.nn.functional, "scaled_dot_product_attention"):
        forms = [form for form in forms if form != "scaled_dot_product"]
    return forms


def read_windows(torch, path, examples, window):
    """Windows of the first 90 % of a text, which overlap by half, and how many characters it has: examples/common."""
    text = pathlib.Path(path).read_text()[:examples]
    numbers = {c: i + 2 for i, c in enumerate(sorted(set(text)))}
    tokens = torch.tensor([numbers[c] for c in text])
    tokens = tokens[: len(text) - len(text) // 10]
    x = tokens[:-1].unfold(0, window, window // 2).contiguous()
    y = tokens[1:].unfold(0, window, window // 2).contiguous()
    return x, y, len(numbers) + 2


def make_char_lm(nn, characters, form):
    class CharLm(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(characters, 64)
            self.lstm = nn.LSTM(64, 256, num_layers=2, dropout=0.2, batch_first=form == "batch_first")
            self.dropout = nn.Dropout(0.2)
            self.dense = nn.Linear(256, characters)

        def forward(self, x):
            if form == "time_first":
                x = x.t()
            y = self.dense(self.dropout(self.lstm(self.embedding(x))[0]))
            return y.transpose(0, 1) if form == "time_first" else y

    return CharLm()


def make_gpt(torch, characters, form):
    nn = torch.nn
    window, width, heads, dropout = 128, 128, 4, 0.1
    hidden = torch.ones(window, window, dtype=torch.bool).triu(1)

    class OwnProjections(nn.Module):
        """Attention written out, or PyTorch's fused function of it."""

        def __init__(self):
            super().__init__()
            self.projection, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

        def forward(self, x):
            batch, time, _ = x.shape
            parts = self.projection(x).view(batch, time, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
            q, k, v = parts.unbind(0)
            if form == "scaled_dot_product":
                heard = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            else:
                scores = (q * (width // heads) ** -0.5) @ k.transpose(-2, -1)
                heard = scores.masked_fill(hidden, float("-inf")).softmax(-1) @ v
            return self.out(heard.transpose(1, 2).reshape(batch, time, width))

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

        def forward(self, x):
            return self.attention(x, x, x, attn_mask=hidden, need_weights=False)[0]

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-3), nn.LayerNorm(width, eps=1e-3)
            self.attention = Attention() if form == "MultiheadAttention" else OwnProjections()
            self.dense = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
            self.dropout = nn.Dropout(dropout)

        def forward(self, x):
            x = x + self.dropout(self.attention(self.norm1(x)))
            return x + self.dropout(self.dense(self.norm2(x)))

    class Gpt(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = nn.Embedding(characters, width), nn.Embedding(window, width)
            self.dropout = nn.Dropout(dropout)
            self.blocks = nn.Sequential(*(Block() for _ in range(4)))
            self.norm, self.dense = nn.LayerNorm(width, eps=1e-3), nn.Linear(width, characters)

        def forward(self, x):
            h = self.dropout(self.token(x) + self.position.weight)
            return self.dense(self.norm(self.blocks(h)))

    return Gpt()


def train_language_model(torch, spec, form):
    window = {"char_lm": 100, "gpt": 128}[spec["model"]]
    x, y, characters = read_windows(torch, spec["file"], spec["examples"], window)
    if spec["model"] == "char_lm":
        model = make_char_lm(torch.nn, characters, form)
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, eps=1e-7)
    else:
        model = make_gpt(torch, characters, form)
        decayed = [p for p in model.parameters() if p.ndim > 1]
        others = [p for p in model.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=2e-3, betas=(0.9, 0.99), eps=1e-7)
    begin = time.perf_counter()
    for rows in torch.randperm(len(x)).split(32):
        optimizer.zero_grad(set_to_none=True)
        logits = model(x[rows])
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, characters), y[rows].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
    loss.item()
    return len(x) * window / (time.perf_counter() - begin)


def make_gan(torch):
    nn = torch.nn

    class Pictures(nn.Module):
        def forward(self, x):
            return x.view(-1, 128, 7, 7)

    generator = nn.Sequential(
        nn.Linear(64, 7 * 7 * 128, bias=False), nn.BatchNorm1d(7 * 7 * 128, eps=1e-3), nn.ReLU(True), Pictures(),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64, eps=1e-3), nn.ReLU(True),
        nn.ConvTranspose2d(64, 1, 4, 2, 1), nn.Tanh(),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2, True), nn.Conv2d(32, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64, eps=1e-3), nn.LeakyReLU(0.2, True), nn.Flatten(), nn.Linear(64 * 7 * 7, 1),
    )  # fmt: skip
    return generator, discriminator


def train_gan(torch, spec, form, load_pictures):
    x = load_pictures(torch, "idx", pathlib.Path(spec["folder"]))[0][: spec["examples"]]
    batch = 128
    layout = torch.channels_last if form == "channels_last" else torch.contiguous_format
    make, tell = (net.to(memory_format=layout) for net in make_gan(torch))
    x = x.to(memory_format=layout)
    adam = {"lr": 2e-4, "betas": (0.5, 0.999), "eps": 1e-7}
    make_optimizer, tell_optimizer = (torch.optim.Adam(net.parameters(), **adam) for net in (make, tell))
    loss_of = torch.nn.functional.binary_cross_entropy_with_logits
    ones, zeros = torch.ones(batch, 1), torch.zeros(batch, 1)
    pictures = 0
    begin = time.perf_counter()
    for rows in torch.randperm(len(x)).split(batch):
        if len(rows) < batch:
            break
        fakes = make(torch.randn(batch, 64))
        real = x[rows].contiguous(memory_format=layout)
        tell_loss = loss_of(tell(real), ones * 0.9) + loss_of(tell(fakes.detach()), zeros)
        tell_optimizer.zero_grad(set_to_none=True)
        tell_loss.backward()
        tell_optimizer.step()

        make_loss = loss_of(tell(fakes), ones)
        make_optimizer.zero_grad(set_to_none=True)
        make_loss.backward()
        make_optimizer.step()
        make_loss.item(), tell_loss.item()
        pictures += batch
    return pictures / (time.perf_counter() - begin)


def train(torch, spec, form, load_pictures):
    """Characters or pictures a second."""
    if spec["model"] == "gan":
        return train_gan(torch, spec, form, load_pictures)
    return train_language_model(torch, spec, form)
