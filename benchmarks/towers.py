"""Work that is not done: hidden patches, weight gradients of frozen towers, words that nobody asks for, padding.

    python benchmarks/towers.py            ViT-S/16 and a small BERT on one thread; about a minute
    python benchmarks/towers.py --full     ViT-B/16 and BERT-base; several minutes

Each pair computes the same thing in two ways, in turns, in one process; the first line of a pair is the usual way.
"""
import sys
import torch
from torch.nn import functional as F
from _bench import interleave, show
from medvl.models.adapters import add_adapters, add_lora, freeze
from medvl.models.masked import mask_words, pick_patches, token_loss
from medvl.models.text import TextTower
from medvl.models.vision import VisionTower


def step(model, *args, **kw):
    "A function that runs forward and backward."
    def f():
        model.zero_grad(); model(*args, **kw).glob.float().square().mean().backward()
    return f


def vision(full):
    name, b = ('vit_base_patch16_224', 4) if full else ('vit_small_patch16_224', 4)
    img, (idx, _) = torch.randn(b, 1, 224, 224), pick_patches(b, 196, .75)
    plain, adapters, lora = (VisionTower(name).train() for _ in range(3))
    add_adapters(freeze(adapters)); add_lora(lora)
    def forward(model, *a):
        def f():
            with torch.no_grad(): model(img, *a)
        return f
    print(f'{name}, {b} films, forward')
    ways = {'all 196 patches': forward(plain), '49 visible patches': forward(plain, idx)}
    show(interleave(ways, 5), 'all 196 patches')
    print(f'{name}, {b} films, forward and backward')
    show(interleave({'everything trains': step(plain, img), 'adapters train': step(adapters, img),
                     'LoRA of rank 8 trains': step(lora, img), 'everything, 49 patches': step(plain, img, idx),
                     'adapters, 49 patches': step(adapters, img, idx)}, 5), 'everything trains')


def text(full):
    tower = TextTower('bert-base' if full else 'bert-small', mlm=True)
    txt = torch.randint(5, 1000, (16,128)); word = torch.arange(128).expand(16, -1)
    msk = torch.arange(128) < torch.randint(40, 90, (16,1))
    word = word.masked_fill(~msk, -1); hid, labels = mask_words(txt, word, .5, 4)
    def loss(parts, some):
        def f():
            tower.zero_grad(); x, keep = tower(hid, msk, parts=parts).loc, labels != -100
            (token_loss(tower.mlm(x[keep]), labels[keep]) if some else token_loss(tower.mlm(x), labels)).backward()
        return f
    print(f'{"BERT-base" if full else "bert-small"}, 16 reports of 128 places, masked words, forward and backward')
    base = 'logits everywhere, padding computed'
    show(interleave({base: loss(1, False), 'logits where a word is hidden': loss(1, True),
                     'the same, padding left out': loss(2, True)}, 5), base)


if __name__ == '__main__':
    torch.set_num_threads(1); torch.manual_seed(0)
    vision('--full' in sys.argv); text('--full' in sys.argv)
